import { systemClock } from "@berth/chassis/clock";
import { type BerthClient, ReasonError } from "@berth/client";
import { formatDuration, wireMs } from "@berth/client/quantities";
import { type pool, registry } from "@berth/contracts";
import { wholeNumber } from "../arguments.js";
import { withClient } from "../connection.js";
import { hint, quoted } from "../hints.js";
import { cut, type Io, paint, printJson, say, table } from "../io.js";
import { resolveTask } from "../naming.js";
import type { GlobalOptions } from "../places.js";
import { type FilterOptions, filterFrom, named } from "../selection.js";
import { countWords, paintState } from "../states.js";
import { isFinal, selectionOf, wireTask } from "../wire.js";
import { taskTable, waitsOf } from "./task-table.js";

/** `berth tasks`. */
export function listTasks(options: GlobalOptions & FilterOptions & { limit: string }, io: Io): Promise<number> {
  const most = wholeNumber("--limit", options.limit, 1);
  filterFrom(options);
  return withClient(options, io, async (client) => {
    const filter = await named(client, [], options, io);
    const found: registry.Task[] = [];
    let more = false;
    for await (const task of client.tasks(selectionOf(filter), { pageSize: Math.min(most + 1, 1_000) })) {
      more = found.length === most;
      if (more) break;
      found.push(wireTask(task));
    }
    if (options.json === true) printJson(io, found);
    else if (found.length === 0) say(io, "no such tasks");
    else {
      taskTable(io, found, await waitsOf(client, found, filter.set), systemClock.wallMs());
      if (more) say(io, `only the newest ${most}: see more with --limit, or choose with --set and --state`);
    }
    return 0;
  });
}

/** `berth sets`. */
export function listSets(options: GlobalOptions & { limit: string }, io: Io): Promise<number> {
  const pageSize = wholeNumber("--limit", options.limit, 1, 1_000);
  return withClient(options, io, async (client) => {
    const { taskSets } = await client.registry.listTaskSets({ pageSize });
    if (options.json === true) printJson(io, taskSets);
    else if (taskSets.length === 0)
      say(
        io,
        `nothing has been submitted yet; begin with \`${hint(io, "run FILE")}\` or \`${hint(io, "run -- COMMAND")}\``,
      );
    else {
      const now = systemClock.wallMs();
      table(
        io,
        [
          { title: "SET" },
          { title: "NAME" },
          { title: "TASKS", right: true },
          { title: "AGE", right: true },
          { title: "STATES" },
        ],
        taskSets.map((set) => [
          set.set,
          cut(set.displayName, 40),
          String(set.taskCount),
          since(set.createTime, now),
          countWords(set.taskCounts),
        ]),
      );
    }
    return 0;
  });
}

/** `berth task ID`. */
export function showTask(id: string, options: GlobalOptions, io: Io): Promise<number> {
  return withClient(options, io, async (client) => {
    const task = wireTask(await client.task(await resolveTask(client, id, io)));
    const why = isFinal(task.state) ? undefined : await explain(client, task.task);
    if (options.json === true) printJson(io, { ...task, explanation: why });
    else print(task, why, io);
    return 0;
  });
}

async function explain(client: BerthClient, task: string) {
  return client.scheduler.explainTask({ task }).catch((error: unknown) => {
    const summary = `the scheduler can't say: ${ReasonError.from(error).message}`;
    return { queued: false, ahead: 0n, refusals: [], summary };
  });
}

function print(task: registry.Task, why: Awaited<ReturnType<typeof explain>> | undefined, io: Io): void {
  const spec = task.spec;
  const field = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== "") say(io, `${paint(io, "dim", name.padEnd(10))}${value}`);
  };
  say(io, `${paint(io, "bold", task.task)}  ${paintState(io, task.state)}`);
  field("why", task.stateReason);
  field("runs", runLine(spec?.run));
  field("needs", spec?.needs.map((need) => needText(need, spec.needConditions[need])).join(", "));
  field("pool", task.pool || spec?.pool || (spec?.skill === "" ? "" : `any with skill ${spec?.skill}`));
  field("runner", task.runner);
  field(
    "limits",
    Object.entries(spec?.limits ?? {})
      .map(([limit, weight]) => `${limit}=${weight}`)
      .join(", "),
  );
  field("tenant", spec?.tenant);
  field("priority", spec?.priority === 0 ? "" : String(spec?.priority));
  field("progress", task.progress > 0 ? `${Math.round(task.progress * 100)} % ${task.progressMessage}` : "");
  field("trace", task.traceId);
  field("result", Buffer.from(task.resultJson).toString("utf8"));
  if (why !== undefined) waits(task, why, io);
  if (task.attempts.length > 0) attempts(task.attempts, io);
  if (task.events.length > 0) events(task.events, io);
}

function waits(task: registry.Task, why: Awaited<ReturnType<typeof explain>>, io: Io): void {
  const waiting =
    task.state === registry.Task_State.READY ||
    task.state === registry.Task_State.PENDING ||
    task.state === registry.Task_State.BACKING_OFF;
  if (!waiting) return;
  say(io);
  say(io, `${paint(io, "bold", "why it waits")}: ${why.summary}${why.ahead > 0n ? ` (${why.ahead} ahead of it)` : ""}`);
  for (const refusal of why.refusals) {
    const what = refusal.limit || refusal.pool;
    say(
      io,
      `  ${what} ${refusal.reason
        .replace(/^REASON_/, "")
        .toLowerCase()
        .replaceAll("_", " ")}${used(refusal)}`,
    );
    for (const { runner, handlers } of refusal.attached.slice(0, 5))
      say(io, `    ${runner} has ${handlers.slice(0, 5).join(", ") || "none"}`);
    for (const holder of refusal.holders.slice(0, 5))
      say(io, `    held by ${holder.task} on ${holder.runner} (${holder.weight})`);
  }
}

/** What is in use, of something that can be in use: without a runner that fits there is nothing. */
function used({ limit, used: units, capacity, wanted }: pool.Refusal): string {
  return limit === "" && capacity === 0n ? "" : `: ${units} of ${capacity} in use, ${wanted} wanted`;
}

function attempts(all: readonly registry.Attempt[], io: Io): void {
  say(io);
  table(
    io,
    [
      { title: "ATTEMPT", right: true },
      { title: "POOL" },
      { title: "RUNNER" },
      { title: "SLOT" },
      { title: "WAITED", right: true },
      { title: "RAN", right: true },
      { title: "END" },
    ],
    all.map((each) => [
      String(each.attempt),
      each.pool,
      each.runner,
      each.slot,
      between(each.readyTime, each.grantTime),
      between(each.startTime, each.endTime),
      outcomeLine(each),
    ]),
  );
}

function outcomeLine(attempt: registry.Attempt): string {
  const { outcome } = attempt;
  if (outcome === undefined) return attempt.releaseReason.replaceAll("_", " ");
  const how = outcome.result
    .replace(/^RESULT_/, "")
    .toLowerCase()
    .replaceAll("_", " ");
  const code = outcome.exitCode === undefined ? outcome.signal : `exit ${outcome.exitCode}`;
  // The message says the code already, where it says anything.
  const what = outcome.message === "" && code !== "exit 0" ? code : cut(outcome.message, 60);
  return what === "" ? how : `${how}: ${what}`;
}

function events(all: readonly registry.TaskEvent[], io: Io): void {
  say(io);
  table(
    io,
    [{ title: "TIME (UTC)" }, { title: "EVENT" }, { title: "ATTEMPT", right: true }, { title: "WHERE" }, { title: "" }],
    all.map((event) => {
      const ran = wireMs(event.duration);
      const words = [ran === undefined ? "" : `after ${formatDuration(ran)}`, cut(event.message, 80)];
      return [
        event.eventTime?.toISOString().replace("T", " ").replace("Z", "") ?? "",
        event.kind,
        event.attempt === 0 ? "" : String(event.attempt),
        event.slot || event.runner,
        words.filter((part) => part !== "").join(" ") || " ",
      ];
    }),
  );
}

function runLine(run: registry.TaskSpec["run"]): string {
  const kind = run?.kind;
  if (kind?.$case === "handler") return `handler ${kind.value.name}`;
  if (kind?.$case !== "command") return "";
  return kind.value.shell === "" ? kind.value.argv.map(quoted).join(" ") : `/bin/sh -c ${quoted(kind.value.shell)}`;
}

function between(from: Date | undefined, to: Date | undefined): string {
  return from === undefined || to === undefined ? "" : formatDuration(to.getTime() - from.getTime());
}

function since(time: Date | undefined, now: number): string {
  return time === undefined ? "" : formatDuration(now - time.getTime());
}

function needText(need: string, condition: registry.TaskSpec_NeedCondition | undefined): string {
  if (condition === "NEED_CONDITION_FAILED") return `${need} (to fail)`;
  return condition === "NEED_CONDITION_ENDED" ? `${need} (to end)` : need;
}
