// `berth with`: a command of the user's, here, with this terminal, under a lease. The CLI attaches as a runner of its own that
// takes no pool's work, bids for itself until it is granted, and its runner keeps the lease and guards the command.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { delay, systemClock } from "@berth/chassis/clock";
import type { BerthClient } from "@berth/client";
import { pool, runner as wire } from "@berth/contracts";
import { createRunner, type Runner } from "@berth/runner";
import { durationFlag, weightFlags, wholeNumber } from "../arguments.js";
import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, sayError } from "../io.js";
import type { GlobalOptions } from "../places.js";
import { codeOf } from "./exit-code.js";

// Nothing stands at the pool-manager while this waits, so it asks again and again, ever slower.
const firstDelayMs = 100;
const longestDelayMs = 1_000;
const attachMs = 10_000;
/** Exit code for "try again later", by sysexits. */
const waitedTooLong = 75;

/** Flags of `berth with`. */
export interface WithOptions extends GlobalOptions {
  readonly limit: string[];
  readonly tenant?: string;
  readonly priority?: string;
  readonly wait?: string;
}

/** `berth with --limit NAME -- COMMAND`: exits with the command's code. */
export function withLease(command: readonly string[], options: WithOptions, io: Io): Promise<number> {
  if (command.length === 0)
    throw new UsageError(`give the command after --, such as: ${hint(io, "with --limit repo:web -- git pull")}`);
  const weights = Object.entries(weightFlags("--limit", options.limit)).map(([limit, weight]) => ({
    limit,
    weight: BigInt(weight),
  }));
  const priority = options.priority === undefined ? 0 : wholeNumber("--priority", options.priority, -1_000, 1_000);
  const waitMs = options.wait === undefined ? Number.POSITIVE_INFINITY : durationFlag("--wait", options.wait);
  return withClient(options, io, async (client) => {
    const id = `with-${randomBytes(5).toString("hex")}`;
    const folder = mkdtempSync(join(tmpdir(), "berth-with-"));
    const { addresses, token } = client.endpoints;
    const runner = createRunner({
      dataFolder: folder,
      id,
      capacity: 1,
      poolManagerAddress: addresses.poolManager,
      envAllow: ["*"],
      ...(token === "" ? {} : { token }),
    });
    const stop = new AbortController();
    const onSignal = () => {
      stop.abort();
      void runner.stop();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
    try {
      await runner.start();
      await attached(runner, stop.signal);
      // A task of its own each time: one attempt has one lease, for ever.
      const bid = pool.Bid.fromPartial({
        task: `with/${nameOf(command)}-${randomBytes(5).toString("hex")}`,
        attempt: 1,
        runner: id,
        weights,
        tenant: options.tenant ?? "",
        priority,
        readyTime: new Date(systemClock.wallMs()),
      });
      const lease = await granted(client, bid, waitMs, stop.signal, io);
      if (lease === undefined) return stop.signal.aborted ? 130 : waitedTooLong;
      const run = { kind: { $case: "command" as const, value: { argv: [...command] } }, cwd: process.cwd() };
      const work = wire.Work.fromPartial({
        lease: lease.lease,
        token: lease.token,
        secret: lease.secret,
        task: lease.task,
        attempt: 1,
        slot: lease.slot,
        tenant: lease.tenant,
        run,
      });
      const outcome = await runner.accept(work, { inherit: true });
      await runner.stop();
      if (runner.figures.held > 0)
        io.writeError(
          `Berth couldn't be told that this has ended: what it held stays occupied until the heartbeat timeout has passed\n`,
        );
      if (options.json === true) printJson(io, { lease: lease.lease, outcome }, { oneLine: true });
      return exitCode(outcome, stop.signal.aborted, io);
    } finally {
      await runner.stop();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** What others read where they wait for it: the program's name, as far as a task id takes it. */
function nameOf([program = ""]: readonly string[]): string {
  return (
    basename(program)
      .replaceAll(/[^a-zA-Z0-9._-]/g, "-")
      .replace(/^[^a-zA-Z0-9]+/, "")
      .slice(0, 64) || "command"
  );
}

async function attached(runner: Runner, signal: AbortSignal): Promise<void> {
  const until = systemClock.monoMs() + attachMs;
  while (!runner.health.ready && !signal.aborted) {
    if (systemClock.monoMs() > until) {
      const wrong = Object.entries(runner.health.checks).filter(([, check]) => check !== "ok");
      throw new UsageError(
        `this command can't attach to the pool-manager: ${wrong.map(([part, check]) => `${part}: ${check}`).join("; ")}`,
        1,
      );
    }
    await delay(systemClock, 20, signal);
  }
}

/** Asks until it is granted. Undefined if it was aborted or waited too long. */
async function granted(
  client: BerthClient,
  bid: pool.Bid,
  waitMs: number,
  signal: AbortSignal,
  io: Io,
): Promise<pool.Lease | undefined> {
  const until = systemClock.monoMs() + waitMs;
  let told = "";
  for (let delayMs = firstDelayMs; !signal.aborted; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    const result = (await client.bids.placeBids({ bids: [bid] })).results[0];
    if (result?.verdict === pool.BidResult_Verdict.GRANTED && result.lease !== undefined) return result.lease;
    if (result?.verdict !== pool.BidResult_Verdict.REFUSED)
      throw new UsageError(result?.message || "the pool-manager gave no answer to the bid", 1);
    const never = result.refusals.find((each) => each.reason === pool.Refusal_Reason.LIMIT_TOO_SMALL);
    if (never !== undefined) throw await neverGranted(never, client, io);
    const why = result.refusals.map(refusalLine).join("; ");
    if (why !== told) sayError(io, `waiting: ${why}`);
    told = why;
    if (systemClock.monoMs() + delayMs > until) {
      io.writeError(`gave up after ${Math.round(waitMs / 1_000)} s\n`);
      return undefined;
    }
    await delay(systemClock, delayMs, signal);
  }
  return undefined;
}

async function neverGranted(
  { limit, capacity, wanted }: pool.Refusal,
  client: BerthClient,
  io: Io,
): Promise<UsageError> {
  const { limits } = await client.pools.getStatus({});
  if (limits.some((each) => each.limit === limit))
    return new UsageError(`limit ${limit} has a capacity of ${capacity}; ${wanted} can never be granted`, 1);
  return new UsageError(
    `there is no limit "${limit}". To make it: ${hint(io, `limit set ${limit} --capacity N --create`)}`,
    1,
  );
}

function refusalLine(refusal: pool.Refusal): string {
  const holders = refusal.holders.slice(0, 3).map((holder) => holder.task);
  const by =
    holders.length === 0 ? "" : `, held by ${holders.join(", ")}${refusal.holders.length > 3 ? " and others" : ""}`;
  return `${refusal.limit || refusal.pool || "runner"} ${refusal.reason
    .replace(/^REASON_/, "")
    .toLowerCase()
    .replaceAll("_", " ")} (${refusal.used} of ${refusal.capacity} in use${by})`;
}

function exitCode(outcome: wire.Outcome, stopped: boolean, io: Io): number {
  if (outcome.exitCode !== undefined) return outcome.exitCode;
  if (outcome.message !== "") sayError(io, `berth: ${outcome.message}`);
  return stopped ? 130 : (codeOf(outcome) ?? 1);
}
