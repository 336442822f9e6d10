// Changes of pools and limits at run time. They apply at once and survive restarts.
import { randomUUID } from "node:crypto";
import { type BerthClient, ReasonError } from "@berth/client";
import { wireDuration } from "@berth/client/quantities";
import { pool as wire } from "@berth/contracts";
import { bytesFlag, cpuFlag, durationFlag, wholeNumber } from "../arguments.js";
import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, say } from "../io.js";
import type { GlobalOptions } from "../places.js";
import { temporaryNote } from "./temporary-note.js";

/** Flags of `berth pool set` and `berth pool create`. */
export interface PoolOptions {
  readonly maxConcurrency?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly skills?: string;
  readonly slots?: string;
  readonly pause?: boolean;
  readonly resume?: boolean;
  readonly type?: string;
  readonly reason?: string;
}

const types: Record<string, wire.Pool_Type> = {
  "local-process": wire.Pool_Type.LOCAL_PROCESS,
  remote: wire.Pool_Type.REMOTE,
};

function poolFields(name: string, options: PoolOptions): { pool: wire.Pool; updateMask: string[] } {
  const words = (text: string) =>
    text
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== "");
  if (options.pause === true && options.resume === true) throw new UsageError("give --pause or --resume, not both");
  const given: [string, Partial<wire.Pool> | undefined][] = [
    [
      "max_concurrency",
      options.maxConcurrency === undefined
        ? undefined
        : { maxConcurrency: BigInt(wholeNumber("--max-concurrency", options.maxConcurrency, 0, 1_000_000)) },
    ],
    ["cpu_millis", options.cpu === undefined ? undefined : { cpuMillis: BigInt(cpuFlag("--cpu", options.cpu)) }],
    [
      "memory_bytes",
      options.memory === undefined ? undefined : { memoryBytes: BigInt(bytesFlag("--memory", options.memory)) },
    ],
    ["skills", options.skills === undefined ? undefined : { skills: words(options.skills) }],
    ["slots", options.slots === undefined ? undefined : { slots: words(options.slots) }],
    ["paused", options.pause === true || options.resume === true ? { paused: options.pause === true } : undefined],
  ];
  const set = given.filter(([, value]) => value !== undefined);
  // The reason of the change before would be told of this one otherwise.
  if (set.length > 0) set.push(["reason", { reason: options.reason ?? "by hand" }]);
  return {
    pool: wire.Pool.fromPartial(Object.assign({ pool: name }, ...set.map(([, value]) => value))),
    updateMask: set.map(([path]) => path),
  };
}

/** `berth pool set NAME`. */
export function setPool(name: string, options: GlobalOptions & PoolOptions, io: Io): Promise<number> {
  const { pool, updateMask } = poolFields(name, options);
  if (updateMask.length === 0)
    throw new UsageError("say what to set: --max-concurrency, --cpu, --memory, --skills, --slots, --pause or --resume");
  return withClient(options, io, async (client) => {
    const answer = await client.pools
      .updatePool({ pool, updateMask })
      .catch((error: unknown) => missing(error, "pool", name, client, io));
    const code = tellPool(answer.pool, options, io, answer.limit && temporaryNote(answer.limit));
    if (options.json !== true && answer.limit?.expireTime !== undefined)
      say(io, `to end that now: ${hint(io, `limit set pool:${name} --now`)}`);
    return code;
  });
}

/** `berth pool create NAME`. */
export function createPool(name: string, options: GlobalOptions & PoolOptions, io: Io): Promise<number> {
  const type = types[options.type ?? "local-process"];
  if (type === undefined)
    throw new UsageError(
      `--type: "${options.type}" ${/^(docker|kubernetes)$/.test(options.type ?? "") ? "isn't built yet" : "isn't a type"}; they are ${Object.keys(types).join(", ")}`,
    );
  if (options.maxConcurrency === undefined)
    throw new UsageError("--max-concurrency is missing: how many tasks may run in the pool at once?");
  const { pool } = poolFields(name, options);
  return withClient(options, io, async (client) => {
    const answer = await client.pools.createPool({ pool: { ...pool, type }, requestId: randomUUID() });
    const code = tellPool(answer.pool, options, io);
    if (options.json !== true && (answer.pool?.runnerCount ?? 0) === 0)
      say(io, `no runner takes its work yet: ${hint(io, `runner --pool ${name} --capacity 4`)}`);
    return code;
  });
}

/** `berth pool delete NAME`. */
export function deletePool(name: string, options: GlobalOptions, io: Io): Promise<number> {
  return withClient(options, io, async (client) => {
    await client.pools.deletePool({ pool: name });
    if (options.json === true) printJson(io, { deleted: name });
    else say(io, `pool ${name} is gone`);
    return 0;
  });
}

function tellPool(pool: wire.Pool | undefined, options: GlobalOptions, io: Io, note = ""): number {
  if (options.json === true) printJson(io, pool);
  else if (pool !== undefined) {
    say(
      io,
      `pool ${pool.pool}: ${pool.runningCount} running, at most ${pool.maxConcurrency}${note === "" ? "" : ` ${note}`}${pool.paused ? ", paused" : ""}`,
    );
    if (pool.runningCount > pool.maxConcurrency)
      say(
        io,
        `${pool.runningCount - pool.maxConcurrency} more are running than are allowed now; they go on, and nothing starts until they have ended`,
      );
  }
  return 0;
}

/** Flags of `berth limit set`. */
export interface LimitOptions {
  readonly capacity?: string;
  readonly reserve?: string;
  readonly reservePriority?: string;
  readonly for?: string;
  readonly now?: boolean;
  readonly create?: boolean;
  readonly reason?: string;
}

/** `berth limit set NAME`: one command, which the pool-manager decides; nothing is read before it. */
export function setLimit(name: string, options: GlobalOptions & LimitOptions, io: Io): Promise<number> {
  const request = limitUpdate(name, options);
  return withClient(options, io, async (client) => {
    const { limit } = await client.pools
      .updateLimit(request)
      .catch((error: unknown) => missing(error, "limit", name, client, io));
    if (options.json === true) printJson(io, limit);
    else if (limit !== undefined) tellLimit(limit, io);
    return 0;
  });
}

function limitUpdate(name: string, options: LimitOptions): Parameters<BerthClient["pools"]["updateLimit"]>[0] {
  if (options.capacity === undefined && options.for !== undefined)
    throw new UsageError("--for needs --capacity: only a capacity can be set for a time");
  if (options.now === true && options.for !== undefined)
    throw new UsageError("give --for or --now, not both: --now ends a temporary capacity");
  if (options.capacity === undefined && options.reserve === undefined && options.now !== true)
    throw new UsageError("say what to set: --capacity (and --for), --reserve, or --now");
  const priority = options.reservePriority;
  const fields: [string, Partial<wire.Limit> | undefined][] = [
    [
      "capacity",
      options.capacity === undefined ? undefined : { capacity: BigInt(wholeNumber("--capacity", options.capacity, 0)) },
    ],
    [
      "reserve",
      options.reserve === undefined ? undefined : { reserve: BigInt(wholeNumber("--reserve", options.reserve, 0)) },
    ],
    [
      "reserve_priority",
      priority === undefined
        ? undefined
        : { reservePriority: wholeNumber("--reserve-priority", priority, -1_000, 1_000) },
    ],
    ["reason", { reason: options.reason ?? "by hand" }],
  ];
  const set = fields.filter(([, value]) => value !== undefined);
  return {
    limit: Object.assign({ limit: name }, ...set.map(([, value]) => value)),
    updateMask: set.map(([path]) => path),
    allowMissing: options.create === true,
    endTemporary: options.now === true,
    ...(options.for === undefined ? {} : { duration: wireDuration(durationFlag("--for", options.for)) }),
  };
}

function tellLimit(limit: wire.Limit, io: Io): void {
  const note = temporaryNote(limit);
  say(io, `limit ${limit.limit}: ${limit.used} of ${limit.capacity} in use${note === "" ? "" : `, ${note}`}`);
  if (note !== "") say(io, `to end that now: ${hint(io, `limit set ${limit.limit} --now`)}`);
  if (limit.overCommitted > 0n)
    say(
      io,
      `${limit.overCommitted} more in use than is allowed now; what runs goes on, and nothing starts until it has ended`,
    );
}

/** `berth limit delete NAME`. */
export function deleteLimit(name: string, options: GlobalOptions, io: Io): Promise<number> {
  return withClient(options, io, async (client) => {
    await client.pools.deleteLimit({ limit: name });
    if (options.json === true) printJson(io, { deleted: name });
    else say(io, `limit ${name} is gone`);
    return 0;
  });
}

/** Rethrows; where there is nothing of that name, says what there is and how to make it. */
async function missing(
  thrown: unknown,
  kind: "pool" | "limit",
  name: string,
  client: BerthClient,
  io: Io,
): Promise<never> {
  const error = ReasonError.from(thrown);
  if (error.reason !== "NOT_FOUND") throw error;
  const now = await client.pools.getStatus({});
  const names =
    kind === "pool"
      ? now.pools.map((each) => each.pool)
      : now.limits.map((each) => each.limit).filter((each) => !each.startsWith("runner:"));
  const make = hint(
    io,
    kind === "pool" ? `pool create ${name} --max-concurrency N` : `limit set ${name} --capacity N --create`,
  );
  throw new UsageError(`there is no ${kind} "${name}"; there are ${names.join(", ")}. To make it: ${make}`, 1);
}
