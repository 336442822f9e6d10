import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { Leadership, LeadLost } from "./index.js";

/** A leader row, and a process that waits for it. */
function standby(holder: string, { loses = 0 } = {}) {
  const row = { epoch: 3, n: 10, holder, away: false };
  const clock = new ManualClock();
  const seen: unknown[] = [];
  const failed: Error[] = [];
  const leader = {
    confirmedMs: 0,
    confirms: 0,
    lost: false,
    async start(epoch?: number) {
      seen.push(epoch);
      if (seen.length <= loses) throw new LeadLost("another one was quicker");
      leader.confirmedMs = clock.monoMs();
    },
    async confirm() {
      leader.confirms++;
      if (leader.lost) throw new LeadLost("replaced");
      leader.confirmedMs = clock.monoMs();
    },
  };
  const position = async () => {
    if (row.away) throw new Error("nothing listens");
    return { ...row };
  };
  const leadership = new Leadership({
    name: "registry",
    leader,
    store: { position },
    takeover: { takeoverMs: 5_000 },
    clock,
    logger: silentLogger,
    metrics: new Registry(),
    onFailed: (error) => failed.push(error),
  });
  let serves = 0;
  const start = () => leadership.start(async () => void serves++);
  const advance = async (ms: number, step: () => void = () => undefined): Promise<void> => {
    for (let at = 0; at < ms; at += 500) {
      step();
      await clock.advance(500);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  };
  return { row, leader, leadership, start, advance, seen, failed, serves: () => serves };
}

describe("leadership", () => {
  it("leads at once where nobody holds the row", async () => {
    const { start, advance, seen, serves, leadership } = standby("");
    await start();
    await advance(500);
    expect([seen, serves(), leadership.check]).toEqual([[3], 1, "ok"]);
  });

  it("waits while the row moves, and takes over when it has stood still for the whole time", async () => {
    const { start, advance, seen, row, leadership } = standby("other");
    await start();
    await advance(20_000, () => void row.n++);
    await advance(4_500);
    expect([seen, leadership.check]).toEqual([[], "standby"]);
    await advance(1_500);
    expect([seen, leadership.check]).toEqual([[3], "ok"]);
  });

  it("doesn't count the time for which the row couldn't be read", async () => {
    const { start, advance, seen, row, leadership } = standby("other");
    await start();
    await advance(2_000);
    row.away = true;
    await advance(10_000);
    expect(leadership.check).toBe("standby; nothing listens");
    row.away = false;
    await advance(4_500);
    expect(seen).toEqual([]);
    await advance(1_500);
    expect(seen).toEqual([3]);
  });

  it("goes on waiting when another standby was quicker", async () => {
    const { start, advance, seen, failed, leadership } = standby("other", { loses: 1 });
    await start();
    await advance(13_000);
    expect([seen.length, failed, leadership.check]).toEqual([2, [], "ok"]);
  });

  it("moves the row every second while it leads", async () => {
    const { start, advance, leader } = standby("");
    await start();
    await advance(500);
    await advance(10_000);
    expect(leader.confirms).toBeGreaterThanOrEqual(9);
  });

  it("lets nothing leave after a pause before a commit has gone through, and nothing at all if it is replaced", async () => {
    const { start, advance, leader, leadership } = standby("");
    await start();
    await advance(500);
    expect(leadership.fence()).toBeUndefined();
    leader.confirmedMs -= 4_000;
    await leadership.fence();
    expect(leadership.fence()).toBeUndefined();
    leader.confirmedMs -= 4_000;
    leader.lost = true;
    await expect(leadership.fence()).rejects.toThrow(LeadLost);
  });

  it("stops while it waits", async () => {
    const { start, leadership, serves } = standby("other");
    await start();
    await leadership.stop();
    expect(serves()).toBe(0);
  });
});
