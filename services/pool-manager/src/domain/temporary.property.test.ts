import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Row } from "./changes.js";
import type { Command, CommandKind, CommandOf } from "./commands.js";
import { PoolCore } from "./core.js";
import { pool, settings } from "./fixtures.js";
import type { LimitUpdate } from "./limit-catalogue.js";
import { type Limit, plainLimit } from "./limits.js";
import type { LimitChange } from "./pool.js";

/** What a limit should be, by the rule alone. */
interface Expected {
  lasting: number;
  reserve: number;
  temporary?: { readonly capacity: number; readonly untilMs: number } | undefined;
}

const capacities = fc.integer({ min: 0, max: 6 });
const durations = fc.integer({ min: 1, max: 300 });
const names = fc.constantFrom("x", "y", "tenant:t", "global", "pool:a");

/** A core that is loaded from its rows again and again, beside the rule. */
class World {
  readonly model = new Map<string, Expected>();
  readonly audit: LimitChange[] = [];
  nowMs = 1_000_000;
  private readonly rows = new Map<string, string>();
  private core = new PoolCore(settings);

  constructor() {
    this.begin();
    for (const [name, lasting] of [
      ["global", 5],
      ["x", 3],
      ["pool:a", 4],
    ] as const)
      this.model.set(name, { lasting, reserve: 0 });
  }

  do<Kind extends CommandKind>(kind: Kind, takes: Omit<CommandOf<Kind>, "kind">): unknown {
    const now = { monoMs: this.nowMs, wallMs: this.nowMs };
    const { outcome, changes } = this.core.decide({ kind, ...takes } as unknown as Command, now);
    for (const change of changes) {
      if (change.k === "limitChange") this.audit.push(change.change);
      const key = this.core.rowKey(change);
      const row = key === undefined ? undefined : this.core.row(key)?.row;
      if (key !== undefined && row !== undefined) this.rows.set(key, JSON.stringify(row));
    }
    return outcome;
  }

  begin(): void {
    const limits = [plainLimit("global", 5), plainLimit("x", 3)];
    this.do("begin", { dataId: "d", leaseKey: "00", limits, pools: [pool("a", 4)] });
  }

  restart(): void {
    this.core = new PoolCore(settings);
    this.core.load([...this.rows.values()].map((row) => JSON.parse(row) as Row));
    this.begin();
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const limit of this.model.values())
      if (limit.temporary && limit.temporary.untilMs <= this.nowMs) limit.temporary = undefined;
  }

  /** Makes a change, and in the model only if both capacities keep the reserve. */
  change(update: Omit<LimitUpdate, "etag">, becomes: (old: Expected) => Expected): void {
    const old = this.model.get(update.name);
    const outcome = this.do("updateLimit", { ...update, etag: "" });
    if (!old) return void expect(outcome).toMatchObject({ refused: "NOT_FOUND" });
    this.settle(update.name, becomes(old), outcome);
  }

  settle(name: string, next: Expected, outcome: unknown): void {
    const fits = next.reserve <= next.lasting && next.reserve <= (next.temporary?.capacity ?? next.lasting);
    if (fits) this.model.set(name, next);
    if (fits) expect(outcome).not.toHaveProperty("refused");
    else expect(outcome).toMatchObject({ refused: "INVALID_FIELD" });
  }

  check(): void {
    const { limits } = this.core.state;
    expect([...limits.keys()].sort()).toEqual([...this.model.keys()].sort());
    for (const [name, { lasting, reserve, temporary }] of this.model) {
      const shown = shownAt(limits.get(name) as Limit, this.nowMs);
      expect(shown, name).toEqual({ capacity: temporary?.capacity ?? lasting, lasting, untilMs: temporary?.untilMs });
      expect(limits.get(name)?.reserve, name).toBe(reserve);
    }
  }

  /** What the audit list says of a limit, from its beginning to its end, without a gap. */
  checkAudit(): void {
    const last = new Map<string, LimitChange>();
    for (const change of this.audit) {
      expect(change.oldCapacity, `of ${change.limit}`).toBe(last.get(change.limit)?.newCapacity);
      last.set(change.limit, change);
    }
    for (const [name, { lasting }] of this.model) {
      expect(last.get(name)?.newCapacity, name).toBe(lasting);
      expect(last.get(name)?.expireMs, name).toBeUndefined();
    }
  }
}

/** A change whose time has come counts as over before the next sweep has noticed it. */
function shownAt({ capacity, expireMs, revertCapacity }: Limit, nowMs: number) {
  const lasting = expireMs === undefined ? capacity : revertCapacity;
  return expireMs !== undefined && nowMs < expireMs
    ? { capacity, lasting, untilMs: expireMs }
    : { capacity: lasting, lasting, untilMs: undefined };
}

type Step = (world: World) => void;

const lasting = fc.record({ name: names, capacity: capacities, endTemporary: fc.boolean() }).map(
  ({ name, capacity, endTemporary }): Step =>
    (world) =>
      world.change({ name, patch: { capacity }, endTemporary }, (old) => ({
        ...old,
        lasting: capacity,
        temporary: endTemporary ? undefined : old.temporary,
      })),
);
const temporary = fc
  .record({ name: names, capacity: capacities, forMs: durations, moment: fc.boolean(), after: fc.option(capacities) })
  .map(
    ({ name, capacity, forMs, moment, after }): Step =>
      (world) => {
        const untilMs = world.nowMs + forMs;
        const patch = { capacity, ...(after !== null && { revertCapacity: after }) };
        const update = moment ? { name, patch: { ...patch, expireMs: untilMs } } : { name, patch, forMs };
        world.change(update, (old) => ({ ...old, lasting: after ?? old.lasting, temporary: { capacity, untilMs } }));
      },
  );
const prolonged = fc.record({ name: names, forMs: durations }).map(
  ({ name, forMs }): Step =>
    (world) => {
      const old = world.model.get(name);
      if (old?.temporary) {
        const prolongs = { ...old.temporary, untilMs: world.nowMs + forMs };
        world.change({ name, patch: {}, forMs }, () => ({ ...old, temporary: prolongs }));
      } else if (old)
        expect(world.do("updateLimit", { name, patch: {}, forMs, etag: "" })).toMatchObject({
          refused: "INVALID_FIELD",
        });
    },
);
const ended = names.map(
  (name): Step =>
    (world) =>
      world.change({ name, patch: {}, endTemporary: true }, (old) => ({ ...old, temporary: undefined })),
);
const reserved = fc.record({ name: names, reserve: fc.integer({ min: 0, max: 4 }) }).map(
  ({ name, reserve }): Step =>
    (world) =>
      world.change({ name, patch: { reserve } }, (old) => ({ ...old, reserve })),
);
const made = fc
  .record({
    name: fc.constantFrom("x", "y", "tenant:t"),
    capacity: capacities,
    forMs: fc.option(durations),
    by: fc.boolean(),
  })
  .map(
    ({ name, capacity, forMs, by }): Step =>
      (world) => {
        if (world.model.has(name)) return;
        const until = forMs === null ? {} : { expireMs: world.nowMs + forMs, revertCapacity: 1 };
        const { version: _version, requestId: _id, ...spec } = plainLimit(name, capacity);
        const outcome = by
          ? world.do("createLimit", { spec: { ...spec, ...until }, requestId: "" })
          : world.do("updateLimit", { name, patch: { capacity, ...until }, etag: "", allowMissing: true });
        const next =
          forMs === null
            ? { lasting: capacity, reserve: 0 }
            : { lasting: 1, reserve: 0, temporary: { capacity, untilMs: world.nowMs + forMs } };
        world.settle(name, next, outcome);
      },
  );
const gone = fc.constantFrom("x", "y", "tenant:t").map(
  (name): Step =>
    (world) => {
      world.do("deleteLimit", { name });
      world.model.delete(name);
    },
);
const ofPool = capacities.map(
  (maxConcurrency): Step =>
    (world) => {
      const outcome = world.do("updatePool", { name: "a", patch: { maxConcurrency, paused: false }, etag: "" });
      world.settle("pool:a", { ...(world.model.get("pool:a") as Expected), lasting: maxConcurrency }, outcome);
    },
);
const otherwise = fc.constant<Step>((world) => {
  world.do("updatePool", { name: "a", patch: { skills: ["s"] }, etag: "" });
});
const time = fc.record({ ms: fc.integer({ min: 1, max: 200 }), sweep: fc.boolean() }).map(
  ({ ms, sweep }): Step =>
    (world) => {
      world.pass(ms);
      if (sweep) world.do("tick", {});
    },
);
const restarts = fc.constant<Step>((world) => world.restart());

const steps = fc.oneof(
  lasting,
  temporary,
  temporary,
  prolonged,
  ended,
  reserved,
  made,
  gone,
  ofPool,
  otherwise,
  time,
  restarts,
);

describe("temporary and lasting changes of capacities", () => {
  it("leave the capacity of the last lasting change when all temporary ones are over, whatever happened in between", () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), (sequence) => {
        const world = new World();
        for (const step of sequence) {
          step(world);
          world.check();
        }
        world.pass(1_000);
        world.do("tick", {});
        world.check();
        world.checkAudit();
      }),
      { numRuns: 500 },
    );
  });
});
