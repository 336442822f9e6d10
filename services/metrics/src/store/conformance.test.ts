import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "@berth/chassis/config";
import { type PostgresServer, serversAvailable, startPostgres } from "@berth/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Retention, Round, SampleStore } from "../engine/store.js";
import { MemorySampleStore } from "./memory.js";
import { PostgresSampleStore } from "./postgres.js";
import { SqliteSampleStore } from "./sqlite.js";

const folder = mkdtempSync(join(tmpdir(), "berth-metrics-"));
const available = serversAvailable().postgres;
let server: PostgresServer | undefined;
beforeAll(async () => {
  if (available) server = await startPostgres({ folder });
}, 60_000);
afterAll(async () => {
  await server?.stop({ immediate: true });
  rmSync(folder, { recursive: true, force: true });
});

let opened = 0;
const stores: Record<string, (retention: Retention) => SampleStore> = {
  memory: (retention) => new MemorySampleStore(retention),
  SQLite: (retention) => new SqliteSampleStore(join(folder, `${opened++}.sqlite`), retention),
  // Needs its programs on this machine.
  ...(available && {
    PostgreSQL: (retention) =>
      new PostgresSampleStore(
        { url: new Secret(server?.url ?? ""), schema: `metrics_${opened++}`, service: "metrics" },
        retention,
      ),
  }),
};
const retention = { rawMs: 120_000, minutesMs: 600_000 };
const always = Number.MAX_SAFE_INTEGER;

function round(wallMs: number, used: number, more: Partial<Round> = {}): Round {
  return { wallMs, revision: wallMs, queueSize: used, limits: [{ limit: "global", used, capacity: 10 }], ...more };
}

describe.each(Object.entries(stores))("the sample store in %s", { timeout: 60_000 }, (_, open) => {
  it("gives the last round back", async () => {
    const store = open(retention);
    expect(await store.latest()).toBeUndefined();
    expect(await store.read("global", 0, always, 10)).toEqual([]);
    const limits = [
      { limit: "global", used: 2, capacity: 9_007_199_254_740_991 },
      { limit: "pool:build", used: 1, capacity: 3 },
    ];
    await store.append(round(1_000, 1));
    await store.append(round(6_000, 2, { limits, queueSize: 5 }));
    expect(await store.latest()).toEqual({ wallMs: 6_000, revision: 6_000, queueSize: 5, limits });
    await store.close();
  });

  it("reads the points of one limit in order, within the time asked for and the most asked for", async () => {
    const store = open(retention);
    for (const wallMs of [1_000, 6_000, 11_000]) await store.append(round(wallMs, wallMs / 1_000));
    const points = await store.read("global", 1_000, 11_000, 10);
    expect(points).toEqual([
      { wallMs: 1_000, usedSum: 1, samples: 1, usedMax: 1, capacity: 10 },
      { wallMs: 6_000, usedSum: 6, samples: 1, usedMax: 6, capacity: 10 },
    ]);
    expect(await store.read("global", 0, always, 1)).toHaveLength(1);
    expect(await store.read("nothing", 0, always, 10)).toEqual([]);
    await store.close();
  });

  it("replaces a round of the same moment", async () => {
    const store = open(retention);
    await store.append(round(1_000, 1));
    await store.append(round(1_000, 7));
    expect(await store.read("global", 0, always, 10)).toMatchObject([{ usedSum: 7, samples: 1 }]);
    await store.close();
  });

  it("adds up amounts whose sum is beyond what a number counts exactly", async () => {
    const store = open(retention);
    const used = Number.MAX_SAFE_INTEGER;
    const limits = [{ limit: "\\ ' \" \u{1F600}", used, capacity: used }];
    for (const wallMs of [0, 20_000, 40_000, 200_000]) await store.append(round(wallMs, 0, { limits }));
    const [minute] = await store.read("\\ ' \" \u{1F600}", 0, always, 10);
    expect(minute).toMatchObject({ samples: 3, usedMax: used, capacity: used });
    expect((minute?.usedSum ?? 0) / (3 * used)).toBeCloseTo(1, 12);
    expect(await store.latest()).toMatchObject({ limits });
    await store.close();
  });

  it("keeps minutes where single samples are too old, and forgets minutes in their turn", async () => {
    const store = open(retention);
    for (let wallMs = 0; wallMs <= 300_000; wallMs += 20_000) await store.append(round(wallMs, wallMs / 20_000));
    const points = await store.read("global", 0, always, 100);
    // 300,000 - 120,000 lies at the beginning of a minute: whole minutes before 240,000, samples from there on.
    expect(points.slice(0, 4)).toEqual([
      { wallMs: 0, usedSum: 3, samples: 3, usedMax: 2, capacity: 10 },
      { wallMs: 60_000, usedSum: 12, samples: 3, usedMax: 5, capacity: 10 },
      { wallMs: 120_000, usedSum: 21, samples: 3, usedMax: 8, capacity: 10 },
      { wallMs: 180_000, usedSum: 30, samples: 3, usedMax: 11, capacity: 10 },
    ]);
    expect(points.slice(4).map((point) => point.wallMs)).toEqual([240_000, 260_000, 280_000, 300_000]);
    await store.append(round(800_000, 1));
    expect((await store.read("global", 0, always, 100)).map((point) => point.wallMs)).toEqual([
      240_000, 300_000, 800_000,
    ]);
    await store.close();
  });
});

describe("the sample stores", { timeout: 120_000 }, () => {
  it("answer alike after any rounds", async () => {
    const step = fc.record({
      gapMs: fc.integer({ min: 0, max: 90_000 }),
      used: fc.nat(9),
      limit: fc.constantFrom("a", "b"),
    });
    const rounds = fc.array(step, { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(rounds, fc.nat(900_000), async (steps, fromMs) => {
        const all = Object.values(stores).map((open) => open(retention));
        let wallMs = 1_000_000;
        for (const { gapMs, used, limit } of steps) {
          wallMs += gapMs;
          for (const store of all)
            await store.append({ wallMs, revision: 1, queueSize: 0, limits: [{ limit, used, capacity: used + 1 }] });
        }
        const [first, ...others] = await Promise.all(
          all.map((store) => store.read("a", 1_000_000 + fromMs, always, 30)),
        );
        expect(others).toEqual(others.map(() => first));
        for (const store of all) await store.close();
      }),
      { numRuns: 25 },
    );
  });
});
