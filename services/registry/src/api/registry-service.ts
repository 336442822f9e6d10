import { createHash, randomUUID } from "node:crypto";
import { FieldCheck, givenContext, pageAsked, pageOf, ReasonError, taskIdPattern } from "@berth/chassis/grpc";
import type { NoteMessage } from "@berth/chassis/http";
import type { Logger } from "@berth/chassis/log";
import { annotateActive, type Telemetry } from "@berth/chassis/telemetry";
import { registry as wire } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import type { Filter } from "../domain/commands.js";
import { matcher } from "../domain/filter.js";
import type { TaskSnapshot } from "../domain/task.js";
import { waitingMax, waitingTotalMax } from "../engine/feed.js";
import { Listings, listingPage } from "../engine/listings.js";
import type { Registry } from "../engine/registry.js";
import { showSet, showTask } from "./show.js";
import { filterOf, setLimitInput, taskInput } from "./translate.js";

/** What the service needs beside the registry. */
export interface RegistryServiceOptions {
  readonly registry: Registry;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  /** Throws NO_SPACE when the disk is nearly full. */
  readonly checkSpace: () => Promise<void>;
  /** Hears how many items a message carried. */
  readonly note: NoteMessage<"submit" | "update">;
}

const watchBatch = 500;

/** Final tasks of one page, with the revision of the last. */
interface FinalsPage {
  readonly tasks: wire.Task[];
  readonly last: number;
}

/** RegistryService: translate, call, translate. */
export class RegistryApi implements wire.RegistryServiceImplementation {
  private readonly options: RegistryServiceOptions;
  private readonly listings: Listings<FinalsPage>;

  constructor(options: RegistryServiceOptions) {
    this.options = options;
    const { registry } = options;
    this.listings = new Listings<FinalsPage>(
      {
        live: (filter, afterRevision) => registry.live({ kind: "changed", filter, afterRevision }),
        finals: async (filter, full, afterRevision) => {
          const finals = await registry.store.finalsSince(filter, afterRevision, listingPage);
          const last = finals.at(-1)?.status.revision;
          return last === undefined ? undefined : { tasks: await this.show(finals, full), last };
        },
      },
      registry.feed,
    );
  }

  async submitTasks(request: wire.SubmitTasksRequest, context: CallContext): Promise<wire.SubmitTasksResponse> {
    await this.options.checkSpace();
    const { telemetry } = this.options;
    if (!request.validateOnly) this.options.note("submit", request.tasks.length);
    const given = givenContext(context.metadata);
    // The state belongs to the client's trace; a task with a trace of its own isn't in it.
    const carried = telemetry.enabled ? { ...given, traceState: "" } : given;
    const submission = {
      set: request.set,
      madeUpSet: `s-${randomUUID().replaceAll("-", "").slice(0, 16)}`,
      displayName: request.displayName,
      // Beyond the bound only the count matters; the domain refuses by it.
      tasks: request.tasks.map((spec) => taskInput(spec, carried)),
      limits: request.limits.map(setLimitInput),
      maxConcurrency: Number(request.maxConcurrency),
      requestId: request.requestId,
      validateOnly: request.validateOnly,
      digest: createHash("sha256").update(wire.SubmitTasksRequest.encode(request).finish()).digest("hex"),
      traceParent: telemetry.enabled ? telemetry.activeTraceParent() : given.traceParent,
      traces: telemetry.enabled && !request.validateOnly ? request.tasks.map(() => telemetry.newTrace("task")) : [],
    };
    const done = await this.options.registry.submit(submission);
    annotateActive({ "berth.set": done.set, "berth.task_count": done.taskCount });
    this.options.logger.debug({ set: done.set, tasks: done.taskCount }, "tasks were taken");
    return {
      set: done.set,
      taskCount: done.taskCount,
      repeatedRequest: done.repeated,
      revision: BigInt(done.revision),
    };
  }

  async getTask(request: wire.GetTaskRequest): Promise<wire.GetTaskResponse> {
    checkKey("task", request.task);
    const task = await this.find(request.task);
    const full = request.view !== wire.View.BASIC;
    return { task: (await this.show([task], full))[0] };
  }

  async listTasks(request: wire.ListTasksRequest): Promise<wire.ListTasksResponse> {
    const filter = checkedFilter(request.filter, false);
    const { max, behind: [beforeOrder] = [Number.MAX_SAFE_INTEGER] } = pageAsked(request, ["number"]);
    const { registry } = this.options;
    const { tasks: live } = await registry.live({ kind: "select", filter, beforeOrder, max: max + 1 });
    const finals = await registry.store.finals(filter, beforeOrder, max + 1);
    const merged = new Map([...live, ...finals].map((task) => [task.header.key, task]));
    const sorted = [...merged.values()].sort((a, b) => b.header.order - a.header.order);
    const { items, nextPageToken } = pageOf(sorted, max, ({ header }) => [header.order]);
    return { tasks: await this.show(items, request.view === wire.View.FULL), nextPageToken };
  }

  async *watchTasks(request: wire.WatchTasksRequest, context: CallContext): AsyncGenerator<wire.WatchTasksResponse> {
    const { registry } = this.options;
    const filter = checkedFilter(request.filter, false);
    const full = request.view === wire.View.FULL;
    const resume = Number(request.resumeRevision);
    new FieldCheck().range("resume_revision", request.resumeRevision, 0, Number.MAX_SAFE_INTEGER).throwIfAny();
    if (resume > registry.core.memory.revision) {
      throw new ReasonError(
        "REVISION_GONE",
        `resume_revision: ${resume} isn't one of this registry, which is at ${registry.core.memory.revision}: list, then watch anew`,
      );
    }
    const watcher = registry.feed.open(matcher(filter), full);
    try {
      const { tasks: live, revision: start } = await this.listings.live(filter, resume);
      let sent = resume;
      for (let after = resume; !context.signal.aborted; ) {
        const page = await this.listings.finals(filter, full, after);
        if (!page) break;
        after = page.last;
        yield { tasks: page.tasks, revision: BigInt(sent) };
      }
      for (let at = 0; at < live.length && !context.signal.aborted; at += listingPage) {
        await this.listings.turn();
        yield { tasks: await this.show(live.slice(at, at + listingPage), full), revision: BigInt(sent) };
      }
      sent = Math.max(sent, watcher.seen(start));
      yield { tasks: [], revision: BigInt(sent) };
      while (!context.signal.aborted) {
        const tasks = await watcher.take(watchBatch, context.signal);
        if (watcher.overflowed) throw tooSlow(`resume from revision ${sent}`);
        sent = Math.max(sent, watcher.seen(registry.feed.revision));
        if (tasks.length === 0) continue;
        this.options.note("update", tasks.length);
        yield { tasks: await this.show(tasks, full), revision: BigInt(sent) };
      }
    } finally {
      registry.feed.close(watcher);
    }
  }

  async cancelTasks(request: wire.CancelTasksRequest): Promise<wire.CancelTasksResponse> {
    new FieldCheck().length("reason", request.reason, 0, 1_024).throwIfAny();
    const filter = await this.named(request.filter);
    const finalCount = await this.options.registry.store.countFinals(filter);
    const { changed } = await this.options.registry.cancel(filter, request.reason);
    return { cancelledCount: changed, finalCount };
  }

  async retryTasks(request: wire.RetryTasksRequest): Promise<wire.RetryTasksResponse> {
    const filter = await this.named(request.filter);
    const { registry } = this.options;
    const live = await registry.live({ kind: "select", filter, beforeOrder: Number.MAX_SAFE_INTEGER, max: 200_000 });
    const succeeded =
      filter.states.length === 0 || filter.states.includes("SUCCEEDED")
        ? await registry.store.countFinals({ ...filter, states: ["SUCCEEDED"] })
        : 0;
    const { changed, unchanged } = await registry.retry(filter);
    return { retriedCount: changed, ignoredCount: unchanged + live.tasks.length + succeeded };
  }

  async acceptLateResult(request: wire.AcceptLateResultRequest): Promise<wire.AcceptLateResultResponse> {
    checkKey("task", request.task);
    new FieldCheck().range("attempt", request.attempt, 1, 1_000_000).throwIfAny();
    await this.options.registry.acceptLate(request.task, request.attempt);
    return { task: (await this.show([await this.find(request.task)], true))[0] };
  }

  async getTaskSet(request: wire.GetTaskSetRequest): Promise<wire.GetTaskSetResponse> {
    new FieldCheck().name("set", request.set).throwIfAny();
    const { registry } = this.options;
    const set = (await registry.sets([request.set])).get(request.set) ?? (await registry.store.set(request.set));
    if (!set) throw new ReasonError("NOT_FOUND", `there is no task set ${request.set}`);
    return { taskSet: showSet(set) };
  }

  async listTaskSets(request: wire.ListTaskSetsRequest): Promise<wire.ListTaskSetsResponse> {
    const check = new FieldCheck().length("prefix", request.prefix, 0, 63);
    const { max, behind } = pageAsked(request, ["number", "string"], undefined, check);
    check.throwIfAny();
    const before = behind && { createMs: behind[0], set: behind[1] };
    const { registry } = this.options;
    const stored = await registry.store.sets(before, max + 1, request.prefix);
    const live = await registry.sets(stored.map(({ set }) => set));
    const { items, nextPageToken } = pageOf(stored, max, ({ createMs, set }) => [createMs, set]);
    return { taskSets: items.map((set) => showSet(live.get(set.set) ?? set)), nextPageToken };
  }

  /** A filter of what is to be changed: the set or the tasks that it names must be there, so that a slip of the pen isn't taken for "nothing to do". */
  private async named(asked: wire.TaskFilter | undefined): Promise<Filter> {
    const filter = checkedFilter(asked, true);
    const { set, keys } = filter;
    if (set !== "") await this.getTaskSet({ set });
    if (keys.length === 0) return filter;
    const { registry } = this.options;
    const { tasks } = await registry.live({ kind: "keys", keys });
    const there = new Set(tasks.map(({ header }) => header.key));
    const rest = keys.filter((key) => !there.has(key));
    if (rest.length > 0) for (const { header } of await registry.store.tasks(rest)) there.add(header.key);
    const missing = rest.filter((key) => !there.has(key));
    if (missing.length === 0) return filter;
    const named = `${missing.slice(0, 10).join(", ")}${missing.length > 10 ? ` and ${missing.length - 10} more` : ""}`;
    throw new ReasonError("NOT_FOUND", `there is no task ${named}: nothing was changed; tasks are named {set}/{task}`);
  }

  private async find(key: string): Promise<TaskSnapshot> {
    const { registry } = this.options;
    const { tasks } = await registry.live({ kind: "keys", keys: [key] });
    const task = tasks[0] ?? (await registry.store.tasks([key]))[0];
    if (!task) throw new ReasonError("NOT_FOUND", `there is no task ${key}: tasks are named {set}/{task}`);
    return task;
  }

  private async show(tasks: readonly TaskSnapshot[], full: boolean): Promise<wire.Task[]> {
    const specs = full
      ? await this.options.registry.store.specs(tasks.map(({ header }) => header.key))
      : new Map<string, Uint8Array>();
    return tasks.map((task) => showTask(task, full, specs.get(task.header.key)));
  }
}

/** Ends a watch whose reader let too much wait. */
export function tooSlow(next: string): ReasonError {
  return new ReasonError(
    "READER_TOO_SLOW",
    `the reader of this watch is too slow: ${waitingMax} changed tasks may wait for one watch and ${waitingTotalMax} for all, and this one held the most: ${next}`,
    { retryAfterMs: 1_000 },
  );
}

/** Demands `{set}/{task}`. */
export function checkKey(field: string, key: string): void {
  const at = key.indexOf("/");
  const check = new FieldCheck();
  if (at < 0) check.that(false, field, `${JSON.stringify(key.slice(0, 80))} isn't a task: {set}/{task} is needed`);
  else check.name(field, key.slice(0, at)).name(field, key.slice(at + 1), taskIdPattern);
  check.throwIfAny();
}

function checkedFilter(request: wire.TaskFilter | undefined, some: boolean): Filter {
  const filter = filterOf(request);
  const check = new FieldCheck();
  if (filter.set !== "") check.name("filter.set", filter.set);
  if (filter.pool !== "") check.name("filter.pool", filter.pool);
  if (filter.tenant !== "") check.name("filter.tenant", filter.tenant);
  check.length("filter.tasks", filter.keys, 0, 1_000);
  check.length("filter.ids", filter.ids, 0, 1_000);
  filter.ids.forEach((id, index) => void check.name(`filter.ids[${index}]`, id, taskIdPattern));
  const labels = Object.entries(filter.labels);
  check.that(labels.length <= 32, "filter.labels", `has ${labels.length} labels; at most 32 can be asked for`);
  for (const [name, value] of labels)
    check.that(
      name.length <= 256 && value.length <= 256 && !/\0/.test(name + value),
      "filter.labels",
      "holds a name or a value that no label has: at most 256 characters, no NUL",
    );
  filter.states.forEach(
    (state, index) =>
      void check.that(
        String(state) !== "UNSPECIFIED" && String(state) !== "UNRECOGNIZED",
        `filter.states[${index}]`,
        "isn't a state of a task",
      ),
  );
  if (some)
    check.that(
      filter.set !== "" || filter.keys.length > 0,
      "filter",
      "names neither a set nor tasks: one of them is needed",
    );
  check.throwIfAny();
  filter.keys.forEach((key, index) => void checkKey(`filter.tasks[${index}]`, key));
  return filter;
}
