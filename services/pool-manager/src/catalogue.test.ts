import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InProcessBus } from "@berth/chassis/bus";
import { ManualClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import { pool as wire } from "@berth/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { poolManagerConfig } from "./config.js";
import { createPoolManager, type PoolManager } from "./service.js";

const clock = new ManualClock();
let folder: string;
let service: PoolManager;
let channel: Channel;

async function open(): Promise<void> {
  const config = poolManagerConfig.parse({
    port: 0,
    httpPort: 0,
    dataFolder: folder,
    globalCapacity: 10,
    pools: { a: { maxConcurrency: 4 } },
    limits: { x: 3 },
  });
  service = createPoolManager({
    config,
    clock,
    logger: silentLogger,
    bus: new InProcessBus({ clock, logger: silentLogger }),
    dataId: "d",
    onFailed: (error) => {
      throw error;
    },
  });
  await service.start();
  channel = createChannel(`127.0.0.1:${service.port}`);
}

async function close(): Promise<void> {
  channel.close();
  await service.stop();
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-catalogue-"));
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true });
});

const pools = () => createClient(wire.PoolServiceDefinition, channel);
const inMs = (ms: number) => new Date(clock.wallMs() + ms);
const minutes = (number: number) => ({ seconds: BigInt(number * 60), nanos: 0 });
const refused = (field: string) => ({ reason: "INVALID_FIELD", message: expect.stringContaining(field) });

async function shown(limit: string) {
  const { capacity, expireTime, revertCapacity } = (await pools().getLimit({ limit })).limit as wire.Limit;
  return { capacity, expireTime, revertCapacity };
}

describe("a temporary capacity", () => {
  it("lies over the lasting one, which may be changed under it, until its time; both are shown and every step is in the audit list", async () => {
    const until = inMs(600_000);
    const first = await pools().updateLimit({
      limit: { limit: "x", capacity: 1n, reason: "quota is low" },
      duration: minutes(10),
    });
    expect(first.limit).toMatchObject({ capacity: 1n, expireTime: until, revertCapacity: 3n, used: 0n });
    await pools().updateLimit({ limit: { limit: "x", capacity: 2n }, duration: minutes(20) });
    expect(await shown("x")).toEqual({ capacity: 2n, expireTime: inMs(1_200_000), revertCapacity: 3n });
    const lasting = await pools().updateLimit({ limit: { limit: "x", capacity: 8n, reason: "bought more" } });
    expect(lasting.limit).toMatchObject({ capacity: 2n, expireTime: inMs(1_200_000), revertCapacity: 8n });
    await close();
    clock.stepWall(1_200_000);
    await open();
    expect(await shown("x")).toEqual({ capacity: 8n, expireTime: undefined, revertCapacity: undefined });
    const { changes } = await pools().listLimitChanges({ limit: "x" });
    const steps = changes.map(({ oldCapacity, newCapacity, revertCapacity }) => [
      oldCapacity,
      newCapacity,
      revertCapacity,
    ]);
    expect(steps.reverse()).toEqual([
      [undefined, 3n, undefined],
      [3n, 1n, 3n],
      [1n, 2n, 3n],
      [2n, 2n, 8n],
      [2n, 8n, undefined],
    ]);
    expect(changes[0]?.reason).toMatch(/the temporary change is over/);
  });

  it("of a pool is shown with what holds afterwards, and a new max_concurrency is for afterwards", async () => {
    await pools().updateLimit({ limit: { limit: "pool:a", capacity: 1n }, duration: minutes(5) });
    await pools().updatePool({ pool: { pool: "a", skills: ["s"] } });
    expect(await shown("pool:a")).toMatchObject({ capacity: 1n, revertCapacity: 4n });
    const { pool, limit } = await pools().updatePool({ pool: { pool: "a", maxConcurrency: 6n } });
    expect(pool).toMatchObject({ maxConcurrency: 1n, skills: ["s"] });
    expect(limit).toMatchObject({ capacity: 1n, expireTime: inMs(300_000), revertCapacity: 6n });
    const ended = await pools().updateLimit({ limit: { limit: "pool:a" }, endTemporary: true });
    expect(ended.limit).toMatchObject({ capacity: 6n, expireTime: undefined });
  });

  it("of 0, and 0 after one, are capacities like others", async () => {
    const update = { limit: { limit: "x", capacity: 0n, expireTime: inMs(1_000), revertCapacity: 0n } };
    await pools().updateLimit({ ...update, updateMask: ["capacity", "expire_time"] });
    expect(await shown("x")).toMatchObject({ capacity: 0n, revertCapacity: 3n });
    await pools().updateLimit({ limit: { ...update.limit, capacity: 2n } });
    expect(await shown("x")).toMatchObject({ capacity: 2n, revertCapacity: 0n });
  });

  it("ends when an update names its time and leaves it out, and by a whole update without one", async () => {
    for (const updateMask of [["expire_time"], ["*"]]) {
      await pools().updateLimit({ limit: { limit: "x", capacity: 1n }, duration: minutes(5) });
      await pools().updateLimit({ limit: { limit: "x", capacity: 3n }, updateMask });
      expect(await shown("x")).toEqual({ capacity: 3n, expireTime: undefined, revertCapacity: undefined });
    }
  });

  it("of a limit that isn't there yet needs what holds afterwards", async () => {
    const limit = { limit: "new", capacity: 1n };
    await expect(pools().updateLimit({ limit, allowMissing: true, duration: minutes(1) })).rejects.toMatchObject(
      refused("limit.revert_capacity"),
    );
    await expect(pools().updateLimit({ limit })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(
      pools().updateLimit({ limit: { limit: "new", reserve: 1n }, allowMissing: true }),
    ).rejects.toMatchObject(refused("limit.capacity"));
    const both = { ...limit, expireTime: inMs(60_000), revertCapacity: 2n };
    expect((await pools().updateLimit({ limit: both, allowMissing: true })).limit).toMatchObject(both);
  });

  it.each([
    ["a time that has passed", { limit: { capacity: 1n, expireTime: new Date(0) } }, "limit.expire_time"],
    ["two times", { limit: { capacity: 1n, expireTime: inMs(1) }, duration: minutes(1) }, "duration"],
    ["a time and its end", { limit: { capacity: 1n }, duration: minutes(1), endTemporary: true }, "duration"],
    ["no time at all", { limit: { capacity: 1n }, duration: minutes(0) }, "duration"],
    ["a time of a thousand years", { limit: { capacity: 1n }, duration: minutes(525_600_000) }, "duration"],
    ["a time for nothing", { limit: { reserve: 1n }, duration: minutes(1) }, "limit.capacity"],
    ["an afterwards without a time", { limit: { capacity: 1n, revertCapacity: 2n } }, "limit.revert_capacity"],
  ])("is refused with %s, and nothing changes", async (_what, update, field) => {
    const request = { ...update, limit: { limit: "x", ...update.limit } };
    await expect(pools().updateLimit(request)).rejects.toMatchObject(refused(field));
    expect(await shown("x")).toEqual({ capacity: 3n, expireTime: undefined, revertCapacity: undefined });
  });
});

describe("a reserve above the capacity", () => {
  it.each<[string, string, () => Promise<unknown>]>([
    ["a creation", "limit.reserve", () => pools().createLimit({ limit: { limit: "n", capacity: 1n, reserve: 2n } })],
    ["a reserve", "limit.reserve", () => pools().updateLimit({ limit: { limit: "x", reserve: 4n } })],
    ["a capacity", "limit.reserve", () => pools().updateLimit({ limit: { limit: "global", capacity: 4n } })],
    [
      "a temporary capacity",
      "limit.reserve",
      () => pools().updateLimit({ limit: { limit: "global", capacity: 4n }, duration: minutes(1) }),
    ],
    [
      "what is to hold after a temporary capacity",
      "limit.reserve",
      () =>
        pools().updateLimit({ limit: { limit: "global", capacity: 9n, revertCapacity: 4n, expireTime: inMs(1_000) } }),
    ],
    [
      "a creation that is found later",
      "limit.reserve",
      () => pools().updateLimit({ limit: { limit: "n", capacity: 1n, reserve: 2n }, allowMissing: true }),
    ],
    ["a pool's bound", "pool.max_concurrency", () => pools().updatePool({ pool: { pool: "a", maxConcurrency: 1n } })],
  ])("is refused, whether it comes by %s", async (_door, field, act) => {
    await pools().updateLimit({ limit: { limit: "global", reserve: 5n } });
    await pools().updateLimit({ limit: { limit: "pool:a", reserve: 2n } });
    const before = (await pools().listLimits({})).limits;
    await expect(act()).rejects.toMatchObject(refused(field));
    expect((await pools().listLimits({})).limits).toEqual(before);
  });
});

describe("a limit's bounds", () => {
  it.each([
    ["more starts than are remembered", { rate: 10_001n, ratePeriod: minutes(1) }, "limit.rate"],
    ["a period without a rate, too long", { ratePeriod: minutes(1_441) }, "limit.rate_period"],
    ["a period too short", { rate: 1n, ratePeriod: { seconds: 0n, nanos: 5 } }, "limit.rate_period"],
    ["a priority that no task can have", { reservePriority: 1_001 }, "limit.reserve_priority"],
  ])("refuse %s, in a creation as in an update", async (_what, fields, field) => {
    const limit = { limit: "n", capacity: 1n, ...fields };
    await expect(pools().createLimit({ limit })).rejects.toMatchObject(refused(field));
    await expect(pools().updateLimit({ limit: { ...limit, limit: "x" } })).rejects.toMatchObject(refused(field));
  });

  it("refuse more for a pool's limit than for the pool's own field", async () => {
    const limit = { limit: "pool:a", capacity: 1_000_001n };
    await expect(pools().updateLimit({ limit })).rejects.toMatchObject(refused("limit.capacity"));
  });
});

describe("an update", () => {
  it.each(["constructor", "limit", "used", "nothing"])("is refused for a mask that names %s", async (path) => {
    await expect(pools().updateLimit({ limit: { limit: "x" }, updateMask: [path] })).rejects.toMatchObject(
      refused("update_mask"),
    );
    await expect(pools().updatePool({ pool: { pool: "a" }, updateMask: [path] })).rejects.toMatchObject(
      refused("update_mask"),
    );
  });
});

describe("a pool", () => {
  it.each([wire.Pool_Type.DOCKER, wire.Pool_Type.KUBERNETES])(
    "of type %s is refused as not built yet",
    async (type) => {
      await expect(pools().createPool({ pool: { pool: "p", type, maxConcurrency: 1n } })).rejects.toMatchObject(
        refused("pool.type"),
      );
      await expect(pools().createPool({ pool: { pool: "p", type, maxConcurrency: 1n } })).rejects.toThrow(
        /isn't built yet/,
      );
      expect(() => poolManagerConfig.parse({ pools: { p: { type: type.slice(5).toLowerCase() } } })).toThrow(
        /isn't built yet/,
      );
    },
  );
});
