import { type BerthClient, ReasonError } from "@berth/client";
import { formatBytes, formatDuration, wireMs } from "@berth/client/quantities";
import { pool, type scheduler } from "@berth/contracts";
import { withClient } from "../connection.js";
import { hint } from "../hints.js";
import { bar, cut, type Io, paint, printJson, say, table } from "../io.js";
import type { GlobalOptions } from "../places.js";
import { holdsLine } from "./holds.js";
import { temporaryNote } from "./temporary-note.js";

const barWidth = 12;

/** `berth status`: everything at one revision. */
export function status(options: GlobalOptions, io: Io): Promise<number> {
  return withClient(options, io, async (client) => {
    const [now, queue, held] = await Promise.all([
      client.pools.getStatus({}),
      queueOf(client),
      client.scheduler.explainTasks({}).catch(() => undefined),
    ]);
    if (options.json === true)
      printJson(io, {
        ...now,
        queue: queue instanceof ReasonError ? { error: queue.message } : { ...queue, causes: held?.causes ?? [] },
      });
    else {
      const { addresses, dataFolder } = client.endpoints;
      say(io, `Berth at ${addresses.registry}${dataFolder === undefined ? "" : `, data folder ${dataFolder}`}`);
      say(io, `${runningWords(now)}, ${queueLine(queue)}`);
      const holds = held === undefined ? undefined : holdsLine(held);
      if (holds !== undefined) say(io, holds);
      if (now.grantingStopped) say(io, paint(io, "red", `granting has stopped: ${now.stopReason}`));
      if (now.drift !== 0n) say(io, paint(io, "red", `counts differ from the rows by ${now.drift}`));
      say(io);
      limitTable(
        now.limits.filter((each) => !each.limit.startsWith("runner:") && !each.limit.startsWith("pool:")),
        io,
      );
      say(io);
      poolTable(now.pools, now.limits, queue, io);
      say(io);
      runnerTable(now.runners, io);
    }
    return 0;
  });
}

/** What occupies, by the states that the board counts: `4 running, 1 starting`. */
export function runningWords({
  runningCount,
  startedCount,
}: Pick<pool.GetStatusResponse, "runningCount" | "startedCount">): string {
  const starting = runningCount - startedCount;
  return starting === 0n ? `${startedCount} running` : `${startedCount} running, ${starting} starting`;
}

/** `berth pools`. */
export function pools(options: GlobalOptions, io: Io): Promise<number> {
  return withClient(options, io, async (client) => {
    const [now, queue] = await Promise.all([client.pools.getStatus({}), queueOf(client)]);
    if (options.json === true) printJson(io, now.pools);
    else poolTable(now.pools, now.limits, queue, io);
    return 0;
  });
}

/** `berth limits`. */
export function limits(options: GlobalOptions, io: Io): Promise<number> {
  return withClient(options, io, async (client) => {
    const now = await client.pools.getStatus({});
    if (options.json === true) printJson(io, now.limits);
    else limitTable(now.limits, io);
    return 0;
  });
}

/** The queues in numbers, or why nobody can say. */
function queueOf(client: BerthClient): Promise<scheduler.GetQueueStatusResponse | ReasonError> {
  return client.scheduler.getQueueStatus({}).catch((error: unknown) => ReasonError.from(error));
}

function queueLine(queue: scheduler.GetQueueStatusResponse | ReasonError): string {
  if (queue instanceof ReasonError) return `the scheduler doesn't answer: ${queue.message}`;
  const oldest = wireMs(queue.oldestWait);
  const average = wireMs(queue.averageWait);
  const parts = [
    `${queue.queueSize} queued`,
    oldest === undefined ? "" : `the oldest for ${formatDuration(oldest)}`,
    average === undefined ? "" : `average wait ${formatDuration(average)}`,
    `policy ${queue.policy}`,
    queue.connected ? "" : "the scheduler isn't connected",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function limitTable(all: readonly pool.Limit[], io: Io): void {
  table(
    io,
    [
      { title: "LIMIT" },
      { title: "USED", right: true },
      { title: "OF", right: true },
      { title: "" },
      { title: "NOTE" },
    ],
    all.map((each) => {
      const memory = each.limit.endsWith(":memory");
      const amount = (units: bigint) => (memory ? formatBytes(Number(units)) : String(units));
      return [
        each.limit,
        amount(each.used),
        amount(each.capacity),
        bar(Number(each.used), Number(each.capacity), barWidth),
        limitNote(each),
      ];
    }),
  );
}

function limitNote(limit: pool.Limit): string {
  const notes = [
    limit.overCommitted > 0n ? `over-committed by ${limit.overCommitted}` : "",
    limit.reserve > 0n ? `${limit.reserve} reserved for priority ${limit.reservePriority} and more` : "",
    limit.rate > 0n ? `${limit.rate} starts per ${formatDuration(wireMs(limit.ratePeriod) ?? 0)}` : "",
    limit.ownerSet === "" ? "" : `of set ${limit.ownerSet}, as long as it lives`,
    temporaryNote(limit),
    cut(limit.reason, 50),
  ];
  return notes.filter((note) => note !== "").join("; ");
}

function poolTable(
  all: readonly pool.Pool[],
  limits: readonly pool.Limit[],
  queue: scheduler.GetQueueStatusResponse | ReasonError,
  io: Io,
): void {
  table(
    io,
    [
      { title: "POOL" },
      { title: "TYPE" },
      { title: "RUNNING", right: true },
      { title: "OF", right: true },
      { title: "" },
      { title: "QUEUED", right: true },
      { title: "RUNNERS", right: true },
      { title: "SKILLS" },
      { title: "NOTE" },
    ],
    all.map((each) => {
      const own = limits.find((limit) => limit.limit === `pool:${each.pool}`);
      const over = own?.overCommitted ?? 0n;
      const notes = [
        each.paused ? "paused" : "",
        own === undefined ? "" : temporaryNote(own),
        over > 0n ? `over-committed by ${over}` : "",
        each.runnerCount === 0 ? "no runner" : "",
      ];
      return [
        each.pool,
        each.type
          .replace(/^TYPE_/, "")
          .toLowerCase()
          .replaceAll("_", "-"),
        String(each.runningCount),
        String(each.maxConcurrency),
        bar(Number(each.runningCount), Number(each.maxConcurrency), barWidth),
        queue instanceof ReasonError ? "" : String(queue.queueSizeByPool[each.pool] ?? 0n),
        String(each.runnerCount),
        each.skills.join(" "),
        notes.filter((note) => note !== "").join(", "),
      ];
    }),
  );
}

function runnerTable(all: readonly pool.Runner[], io: Io): void {
  if (all.length === 0)
    return say(io, `no runner is attached: nothing can run. Start one with \`${hint(io, "runner --pool POOL")}\``);
  // What a `berth with` leaves behind for a while: gone, holding nothing, and never there for anybody else.
  const shown = all.filter(
    (each) => each.state !== pool.Runner_State.LOST || each.runningCount > 0 || each.pools.length > 0,
  );
  const withHandlers = shown.some((each) => each.handlerCount > 0);
  table(
    io,
    [
      { title: "RUNNER" },
      { title: "STATE" },
      { title: "RUNNING", right: true },
      { title: "OF", right: true },
      { title: "HEARD", right: true },
      { title: "POOLS" },
      ...(withHandlers ? [{ title: "HANDLERS" }] : []),
    ],
    shown.map((each) => [
      each.runner,
      each.state.replace(/^STATE_/, "").toLowerCase(),
      String(each.runningCount),
      String(each.capacity),
      `${formatDuration(wireMs(each.silence) ?? 0)} ago`,
      each.pools.join(" "),
      ...(withHandlers ? [handlersOf(each)] : []),
    ]),
  );
}

/** Handlers that one line shows. */
const handlersShown = 5;

function handlersOf({ handlers, handlerCount }: pool.Runner): string {
  const shown = handlers.slice(0, handlersShown);
  return [...shown, ...(handlerCount > shown.length ? [`and ${handlerCount - shown.length} more`] : [])].join(" ");
}
