import { randomUUID } from "node:crypto";
import { metrics, pool, registry, runner, scheduler } from "@berth/contracts";
import { lostKeyAt, lostKeyMessage } from "@berth/wire/config";
import { describe } from "@berth/wire/errors";
import { createChannel, createClient as createTypedClient, metadataOf, ReasonError } from "@berth/wire/grpc";
import { noTelemetry, readTraceContext, type Telemetry, type TraceContext } from "@berth/wire/telemetry";
import { type EndpointOptions, type Endpoints, findEndpoints } from "./endpoints.js";
import {
  declarations,
  partRequestId,
  placedInWhole,
  type SubmitOptions,
  type Submitted,
  splitTasks,
} from "./submit.js";
import { filterOf, type Task, type TaskSelection, type TaskSet, told, toldSet } from "./task.js";
import { type TaskInput, taskSchema, toSpec } from "./taskfile/index.js";
import { type ResultOptions, type WaitOptions, waitForResult, waitForSet } from "./wait.js";
import { type WatchOptions, watchTasks } from "./watch.js";

/** How a client is made. */
export interface BerthClientOptions extends EndpointOptions {
  /** Longest wait for the answer to one call, milliseconds. Default 10,000, and 60,000 for a submission, which may be large. Streams have no bound. */
  readonly timeoutMs?: number;
  /** Tracing: each submission becomes a span, which the traces of its tasks are linked with. Default: the active span, if any, goes on. */
  readonly telemetry?: Telemetry;
}

type Calls<Definition extends Parameters<typeof createTypedClient>[0]> = ReturnType<
  typeof createTypedClient<Definition>
>;

/** How tasks are listed. */
export interface TasksOptions {
  /** Tasks asked for at a time, 1 to 1,000. Default 1,000. */
  readonly pageSize?: number;
  /** How much of a task to tell. Default basic: no run, attempts or events. */
  readonly view?: registry.View;
}

/** Which output to read. */
export interface LogsOptions {
  /** Number of the attempt, from 1. Default 0: the last. */
  readonly attempt?: number;
  /** Tells also what arrives, until the task is final. Default false. */
  readonly follow?: boolean;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** A client of one Berth. Nothing is sent before the first call; close it when done. */
export interface BerthClient {
  /** Where it sends to. */
  readonly endpoints: Endpoints;
  /** Submits tasks into one set; see SubmitOptions. Up to 10,000 tasks and 4 MiB are taken all or none; more are checked all together, then taken in parts. */
  submit(tasks: readonly TaskInput[], options?: SubmitOptions): Promise<Submitted>;
  /** As submit, for specifications of the wire, such as parseTaskFile gives. */
  submitSpecs(tasks: readonly registry.TaskSpec[], options?: SubmitOptions): Promise<Submitted>;
  /** Every change of every task of a set, or of what a filter matches. Reconnects and resumes by itself. */
  watch(selection: TaskSelection, options?: WatchOptions): AsyncIterable<Task>;
  /** Waits until every task of a set is final; returns the set with its counts. */
  wait(set: string, options?: WaitOptions): Promise<TaskSet>;
  /**
   * The result of a task, `{set}/{task}`, parsed from its JSON; waits until the task is final. Undefined if it succeeded without one.
   * What it is isn't checked: T is the caller's word.
   *
   * @throws TaskUnsuccessful if it ended otherwise: FAILED, CANCELLED or SKIPPED. ReasonError NOT_FOUND if there is no such task.
   */
  result<T = unknown>(task: string, options?: ResultOptions): Promise<T>;
  /** One task, `{set}/{task}`, with attempts and history. */
  task(task: string): Promise<Task>;
  /** Tasks, newest first, page by page. */
  tasks(selection?: TaskSelection, options?: TasksOptions): AsyncIterable<Task>;
  /** Cancels tasks. One that runs is CANCELLING until its run is known to be dead. */
  cancel(selection: TaskSelection, reason?: string): Promise<registry.CancelTasksResponse>;
  /** Retries tasks that ended FAILED, CANCELLED or SKIPPED, and what was skipped for them. */
  retry(selection: TaskSelection): Promise<registry.RetryTasksResponse>;
  /** Output of an attempt (0: the last). With `follow` also what arrives, until the task is final. */
  logs(task: string, options?: LogsOptions): AsyncIterable<registry.LogChunk>;
  /** Tasks, calls of the wire. */
  readonly registry: Calls<typeof registry.RegistryServiceDefinition>;
  /** Output, calls of the wire. */
  readonly logService: Calls<typeof registry.LogServiceDefinition>;
  /** Pools, limits and assignments, calls of the wire. */
  readonly pools: Calls<typeof pool.PoolServiceDefinition>;
  /** Bids, calls of the wire. */
  readonly bids: Calls<typeof pool.BidServiceDefinition>;
  /** Leases, calls of the wire. */
  readonly leases: Calls<typeof runner.LeaseServiceDefinition>;
  /** Queues, calls of the wire. */
  readonly scheduler: Calls<typeof scheduler.SchedulerServiceDefinition>;
  /** History of concurrency, calls of the wire. */
  readonly metrics: Calls<typeof metrics.MetricsServiceDefinition>;
  /** Closes all connections. */
  close(): void;
}

const submitTimeoutMs = 60_000;

/** What a submission carries on. Where it has a span of its own, that is what goes on, in the given one's stead. */
function carried(trace: Partial<TraceContext>, telemetry: Telemetry): { metadata: ReturnType<typeof metadataOf> } {
  const given = readTraceContext(trace);
  return { metadata: metadataOf(telemetry.enabled ? { ...given, traceParent: "" } : given) };
}

/** Makes a client. Reads a data folder or berth.yaml where one is given; throws if that can't be read. */
export function createClient(options: BerthClientOptions = {}): BerthClient {
  const endpoints = findEndpoints(options);
  const { addresses } = endpoints;
  const channels = {
    registry: createChannel(addresses.registry),
    poolManager: createChannel(addresses.poolManager),
    scheduler: createChannel(addresses.scheduler),
    metrics: createChannel(addresses.metrics),
  };
  const { telemetry = noTelemetry } = options;
  const common = {
    telemetry,
    ...(endpoints.token === "" ? {} : { token: endpoints.token }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
  // Everything here is safe to repeat: reads, calls with a request id, and calls that are idempotent by their meaning.
  const safe = { ...common, retry: true };
  const tasks = createTypedClient(registry.RegistryServiceDefinition, channels.registry, safe);
  // A peer that is gone is noticed by its silence; one that has 10,000 tasks to check on a busy machine needs its time.
  const submissions = createTypedClient(registry.RegistryServiceDefinition, channels.registry, {
    timeoutMs: submitTimeoutMs,
    ...safe,
  });
  const logService = createTypedClient(registry.LogServiceDefinition, channels.registry, safe);

  const submitSpecs = async (specs: readonly registry.TaskSpec[], options: SubmitOptions = {}): Promise<Submitted> => {
    if (!telemetry.enabled) return submitParts(specs, options);
    const attributes = { "berth.task_count": specs.length };
    const { traceParent: parent = "", traceState: parentState = "" } = options.trace ?? {};
    const given = parent === "" ? {} : { parent, parentState };
    const span = telemetry.startSpan("submit", { kind: "producer", attributes, ...given });
    try {
      const submitted = await span.run(() => submitParts(specs, options));
      span.setAttribute("berth.set", submitted.set);
      return submitted;
    } catch (error) {
      span.fail(describe(error));
      throw error;
    } finally {
      span.end();
    }
  };

  const submitParts = async (specs: readonly registry.TaskSpec[], options: SubmitOptions): Promise<Submitted> => {
    const requestId = options.requestId ?? randomUUID();
    const parts = splitTasks(specs);
    // Every part is taken by itself, so every part says what its tasks mean.
    const declared = declarations(options);
    const settings = {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.trace === undefined ? {} : carried(options.trace, telemetry)),
    };
    // All of it is checked before any of it is taken.
    if (parts.length > 1)
      for (const part of parts) {
        const check = submissions.submitTasks(
          {
            set: options.set ?? "",
            displayName: options.displayName ?? "",
            tasks: part,
            ...declared,
            validateOnly: true,
          },
          settings,
        );
        await check.catch((thrown: unknown) => {
          throw placedInWhole(ReasonError.from(thrown), part, specs);
        });
      }
    let set = options.set ?? "";
    let taskCount = 0;
    let repeated = true;
    let revision: bigint | undefined;
    for (const [index, part] of parts.entries()) {
      const request = {
        set,
        displayName: options.displayName ?? "",
        tasks: part,
        ...declared,
        requestId: partRequestId(requestId, index),
      };
      const answer = await submissions.submitTasks(request, settings).catch((thrown: unknown) => {
        const error = placedInWhole(ReasonError.from(thrown), part, specs);
        if (index === 0) throw error;
        const state = `${taskCount} of ${specs.length} tasks were taken into set ${set} before`;
        throw new ReasonError(error.reason, `${error.message} (${state})`, { ...error.details, cause: thrown });
      });
      set = answer.set;
      taskCount += answer.taskCount;
      repeated &&= answer.repeatedRequest;
      revision ??= answer.revision;
    }
    return { set, taskCount, repeated, revision: revision ?? 0n };
  };

  async function* watch(selection: TaskSelection, options: WatchOptions = {}) {
    const filter = filterOf(selection);
    const view = options.view ?? registry.View.BASIC;
    const open = (resumeRevision: bigint, signal: AbortSignal) =>
      tasks.watchTasks({ filter, resumeRevision, view }, { signal });
    for await (const batch of watchTasks(open, options)) yield* batch.map(told);
  }

  const reading = { watch, readSet, readTask };
  return {
    endpoints,
    submit: (inputs, options) => submitSpecs(inputs.map(specOf), options),
    submitSpecs,
    watch,
    wait: (set, options = {}) => waitForSet(reading, set, options),
    result: async <T>(task: string, options = {}) => (await waitForResult(reading, task, options)) as T,
    task: (task) => readTask(task, undefined),
    async *tasks(selection = {}, options = {}) {
      let pageToken = "";
      do {
        const request = {
          filter: filterOf(selection),
          pageSize: options.pageSize ?? 1_000,
          pageToken,
          view: options.view ?? registry.View.BASIC,
        };
        const page = await tasks.listTasks(request);
        yield* page.tasks.map(told);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    },
    cancel: (selection, reason = "") => tasks.cancelTasks({ filter: filterOf(selection), reason }),
    retry: (selection) => tasks.retryTasks({ filter: filterOf(selection) }),
    async *logs(task, options = {}) {
      const attempt = options.attempt ?? 0;
      const signal = options.signal === undefined ? {} : { signal: options.signal };
      if (options.follow === true) {
        for await (const piece of logService.watchLogs({ task, attempt }, signal)) yield* piece.chunks;
        return;
      }
      // Page by page, of the attempt that the first page was of.
      for (let place = { attempt, fromOffset: 0n }; ; ) {
        const page = await logService.getLogs({ task, ...place }, signal);
        yield* page.chunks;
        if (page.nextOffset === 0n) return;
        place = { attempt: page.attempt, fromOffset: page.nextOffset };
      }
    },
    registry: tasks,
    logService,
    pools: createTypedClient(pool.PoolServiceDefinition, channels.poolManager, safe),
    bids: createTypedClient(pool.BidServiceDefinition, channels.poolManager, safe),
    leases: createTypedClient(runner.LeaseServiceDefinition, channels.poolManager, safe),
    scheduler: createTypedClient(scheduler.SchedulerServiceDefinition, channels.scheduler, safe),
    metrics: createTypedClient(metrics.MetricsServiceDefinition, channels.metrics, safe),
    close() {
      for (const channel of Object.values(channels)) channel.close();
    },
  };

  async function readSet(set: string, signal: AbortSignal | undefined): Promise<TaskSet> {
    const answer = await tasks.getTaskSet({ set }, signal === undefined ? {} : { signal });
    if (answer.taskSet === undefined) throw new ReasonError("NOT_FOUND", `there is no set ${set}`);
    return toldSet(answer.taskSet);
  }

  async function readTask(task: string, signal: AbortSignal | undefined): Promise<Task> {
    const answer = await tasks.getTask({ task, view: registry.View.FULL }, signal === undefined ? {} : { signal });
    if (answer.task === undefined) throw new ReasonError("NOT_FOUND", `there is no task ${task}`);
    return told(answer.task);
  }
}

function specOf(input: TaskInput, index: number): registry.TaskSpec {
  const checked = taskSchema.safeParse(input);
  // The schema passes over this key without a word. What is looked at here ends somewhere: the schema has read it.
  const lost = checked.success ? lostKeyAt(input) : undefined;
  if (checked.success && lost === undefined) return toSpec(checked.data);
  const issues = checked.success ? [{ path: lost ?? [], message: lostKeyMessage }] : checked.error.issues;
  const fields = issues.map((issue) => ({
    field: [`tasks[${index}]`, ...issue.path.map(String)].join("."),
    description: issue.message,
  }));
  throw new ReasonError("INVALID_FIELD", fields.map((each) => `${each.field}: ${each.description}`).join("; "), {
    fields,
  });
}
