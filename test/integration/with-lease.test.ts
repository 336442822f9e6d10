import { join } from "node:path";
import { createChannel, createClient } from "@berth/chassis/grpc";
import { pool } from "@berth/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, portsOf, scratchFolder, startBerth, startProcess } from "./harness/berth.js";
import { until } from "./harness/until.js";

// The runner behind `with` has about 5.3 s from one answer to the next.
const short = {
  limits: { "repo:web": 1, "repo:docs": 1 },
  defaults: {
    heartbeatTimeout: "6s",
    killTime: "300ms",
    timerLateness: "100ms",
    lateResultWait: "200ms",
  },
};
const scratch = scratchFolder();
let berth: Berth;
/** Long enough for a restart on this machine, as slow as it is now. */
let longMs = 5_000;

beforeAll(async () => {
  const beganMs = performance.now();
  berth = await startBerth(scratch.path, short);
  longMs += Math.ceil(3 * (performance.now() - beganMs));
});
afterAll(async () => {
  await berth?.stop();
  scratch.remove();
});

/** `berth with` around a command that says that it has begun, and then takes its time. */
async function hold(limit = "repo:web"): Promise<ReturnType<typeof startProcess>> {
  const data = ["--data", join(scratch.path, "berth-data")];
  const held = startProcess(["with", "--limit", limit, ...data, "--", "sh", "-c", "echo begun; exec sleep 3600"], "/");
  await until("the command to begin", async () => held.output().includes("begun"));
  return held;
}

describe("berth with, when somebody takes its lease away", () => {
  it("ends its command, says who wanted it, and the limit is free afterwards", async () => {
    const held = await hold();
    const { addresses, token } = berth.client.endpoints;
    const channel = createChannel(addresses.poolManager);
    const occupying = () => berth.client.pools.listAssignments({ occupying: true });
    const [lease] = (await occupying()).leases;
    const ledger = createClient(pool.LeaseLedgerServiceDefinition, channel, { token });
    const attempts = [{ task: lease?.task ?? "", attempt: lease?.attempt ?? 0 }];
    await ledger.forbidAttempts({ attempts, reason: "the night shift needs it" });
    // 128 + SIGTERM.
    expect(await held.exited).toBe(143);
    channel.close();
    expect(held.output()).toContain("the night shift needs it");
    expect((await occupying()).leases).toEqual([]);
  });
});

describe("berth with, when Berth goes away", () => {
  it("ends its command before the limit can be given to another, says why, and doesn't hang", async () => {
    const held = await hold();
    await berth.kill();
    expect(await held.exited).toBeGreaterThan(0);
    expect(held.output()).toContain("couldn't renew its leases before its deadline");
    expect(held.output()).toContain("Berth couldn't be told that this has ended");
  });

  it("goes on over a restart within the TTL", async () => {
    const long = { ...short, defaults: { ...short.defaults, heartbeatTimeout: `${longMs}ms` } };
    berth = await startBerth(scratch.path, long);
    const held = await hold("repo:docs");
    // `with` must find it again.
    const ports = portsOf(berth);
    const killedMs = performance.now();
    await berth.kill();
    berth = await startBerth(scratch.path, { ...long, ports });
    await until(
      "the TTL to pass that it had when Berth went away",
      () => performance.now() - killedMs > longMs,
      3 * longMs,
    );
    expect(held.child.exitCode).toBeNull();
    held.child.kill("SIGINT");
    expect(await held.exited).toBe(130);
  });
});
