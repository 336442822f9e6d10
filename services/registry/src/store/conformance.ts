import { ManualClock } from "@berth/chassis/clock";
import { CommitRefused, type Group, LeadLost } from "@berth/chassis/engine";
import { silentLogger } from "@berth/chassis/log";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, Row } from "../domain/commands.js";
import {
  Bench,
  everything,
  exampleCatalogue,
  exampleOutcome,
  exampleSettings,
  exampleSubmission,
  exampleTask,
} from "../domain/examples.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import type { TaskSnapshot } from "../domain/task.js";
import { Registry } from "../engine/registry.js";
import type { RegistryStore } from "../engine/store.js";
import type { RegistryStores } from "./open.js";

/** One place at rest that may be opened again and again. */
export interface RegistryFixture {
  /** Opens stores on the same data. */
  open(): RegistryStores;
  /** Throws the data away. */
  dispose(): void | Promise<void>;
}

/** What every store must do; run over each of them. */
export function storeConformance(name: string, create: () => RegistryFixture): void {
  describe(`the registry on ${name}`, { timeout: 60_000 }, () => registrySuite(create));
  describe(`the leader row of the registry in ${name}`, { timeout: 60_000 }, () => leaderSuite(create));
}

function registrySuite(create: () => RegistryFixture): void {
  let fixture: RegistryFixture;
  let registry: Registry;
  const clock = new ManualClock();

  async function open(store = fixture.open().store): Promise<void> {
    const pools = { readCatalogue: async () => exampleCatalogue };
    const onFailed = (error: Error): void => {
      throw error;
    };
    registry = new Registry({ store, settings: exampleSettings, clock, logger: silentLogger, pools, onFailed });
    await registry.start();
  }

  function released(id: string, position: number): LeaseEvent {
    const lease = { lease: `l-${id}`, token: position, runner: "r1", pool: "default", slot: "r1/1" };
    return {
      ...lease,
      position,
      kind: "released",
      key: `s/${id}`,
      attempt: 1,
      timeMs: 5,
      grantMs: 5,
      startMs: 5,
      reason: "completed",
      outcome: exampleOutcome("SUCCEEDED"),
      lateOutcome: null,
      revokeReason: "",
    };
  }

  beforeEach(async () => {
    fixture = create();
    await open();
  });
  afterEach(async () => {
    await registry.stop();
    await fixture.dispose();
  });

  it("loads what was committed: tasks, cursor, revision, catalogue, counts of sets", async () => {
    await registry.submit(exampleSubmission([exampleTask("a"), exampleTask("b", ["a"]), exampleTask("c", ["b"])]));
    await registry.leaseEvents([released("a", 7)], 9);
    const { memory } = registry.core;
    const before = {
      tasks: [...memory.tasks.values()].map(({ header, status }) => [header.key, status]),
      revision: memory.revision,
      cursor: memory.cursor,
      set: await registry.sets(["s"]),
    };
    await registry.stop();
    await open();
    const after = registry.core.memory;
    expect({
      tasks: [...after.tasks.values()].map(({ header, status }) => [header.key, status]),
      revision: after.revision,
      cursor: after.cursor,
      set: await registry.sets(["s"]),
    }).toEqual(before);
    expect(after.catalogue?.catalogue).toEqual(exampleCatalogue);
    expect([...(after.tasks.get("s/c")?.waits ?? [])]).toEqual(["b"]);
  });

  it("keeps the limits that a set declares, those of a later submission too, while it lives and when it is done", async () => {
    const limit = { name: "gpu", capacity: 2, reserve: 1, reservePriority: 5, rate: 3, ratePeriodMs: 60_000 };
    const more = { ...limit, name: "disk", capacity: 9_007_199_254_740_991 };
    await registry.submit(exampleSubmission([exampleTask("a")], { limits: [limit], maxConcurrency: 7 }));
    await registry.submit(exampleSubmission([exampleTask("b")], { limits: [limit, more] }));
    await registry.submit(exampleSubmission([exampleTask("plain")], { set: "other" }));
    const whole = { name: "", capacity: 7, reserve: 0, reservePriority: 0, rate: 0, ratePeriodMs: 1_000 };
    const declared = [limit, whole, more];
    await registry.stop();
    await open();
    expect((await registry.sets(["s"])).get("s")?.limits).toEqual(declared);
    expect([...registry.core.memory.declaring]).toEqual(["s"]);
    await registry.leaseEvents([released("a", 7), released("b", 8)], 9);
    expect((await registry.store.set("s"))?.limits).toEqual(declared);
    expect((await registry.store.set("other"))?.limits).toBeUndefined();
    expect(registry.core.memory.declaring.size).toBe(0);
  });

  it("takes a commit whose answer was lost once, and goes on", async () => {
    await registry.stop();
    const store = fixture.open().store;
    let lose = false;
    const forgetful = new Proxy(store, {
      get(target, property: keyof RegistryStore) {
        if (property !== "commit") return target[property].bind(target);
        return async (group: Group<Change, Row>): Promise<void> => {
          await target.commit(group);
          if (!lose) return;
          lose = false;
          throw new Error("connection lost");
        };
      },
    });
    await open(forgetful);
    lose = true;
    const submitted = registry.submit(exampleSubmission([exampleTask("a")]));
    let settled = false;
    void submitted.finally(() => {
      settled = true;
    });
    // The catalogue's commit is the one whose answer is lost; the engine asks again after 20 ms.
    while (!settled) await clock.advance(20);
    expect(await submitted).toMatchObject({ taskCount: 1 });
    expect(registry.core.memory.tasks.size).toBe(1);
  });

  it("finds history by filter, and forgets it when it is old enough", async () => {
    await registry.submit(
      exampleSubmission([
        exampleTask("a", [], { tenant: "t1" }),
        exampleTask("b", [], { skill: "render", labels: { arch: "arm64", os: 'a\\b "c"' } }),
      ]),
    );
    await registry.leaseEvents([released("a", 1), { ...released("b", 2), pool: "gpu" }], 2);
    const keys = async (filter: Partial<typeof everything>) =>
      (await registry.store.finals({ ...everything, ...filter }, Number.MAX_SAFE_INTEGER, 10)).map(
        ({ header }) => header.id,
      );
    expect(await keys({})).toEqual(["b", "a"]);
    expect(await keys({ tenant: "t1" })).toEqual(["a"]);
    expect(await keys({ pool: "gpu" })).toEqual(["b"]);
    expect(await keys({ states: ["FAILED"] })).toEqual([]);
    expect(await keys({ keys: ["s/a"] })).toEqual(["a"]);
    expect(await keys({ ids: ["a", "s/b"] })).toEqual(["a"]);
    expect(await keys({ labels: { arch: "arm64" } })).toEqual(["b"]);
    expect(await keys({ labels: { os: 'a\\b "c"', arch: "arm64" } })).toEqual(["b"]);
    expect(await keys({ labels: { arch: "arm64", os: "x" } })).toEqual([]);
    expect((await registry.store.sets(undefined, 10, "s")).map(({ set }) => set)).toEqual(["s"]);
    expect(await registry.store.sets(undefined, 10, "%")).toEqual([]);
    const pruned = await registry.store.prune({ endedBeforeMs: clock.wallMs() + 1, requestsBeforeMs: 0, max: 10 });
    expect(pruned.sort()).toEqual(["s/a", "s/b"]);
    expect(await registry.store.set("s")).toBeUndefined();
  });

  it("takes 10,000 tasks, and their ends, in two commits", async () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `t${index}`);
    const tasks = ids.map((id) => exampleTask(id));
    await registry.submit(exampleSubmission(tasks));
    await registry.leaseEvents(
      ids.map((id, index) => released(id, index + 1)),
      10_000,
    );
    expect(registry.core.memory.tasks.size).toBe(0);
  });

  it("keeps every character, every byte and every exact number", async () => {
    const text = `\\0 \\\\ " ' $1 {} \n \u2028 \u{1F600} \uFFFD \u{10FFFF}`;
    const spec = new Uint8Array(Array.from({ length: 256 }, (_, byte) => byte));
    const outcome = { ...exampleOutcome("SUCCEEDED"), message: `a\0${text}`, resultJson: JSON.stringify(`\0${text}`) };
    await registry.submit(exampleSubmission([exampleTask("a", [], { spec })], { displayName: `a\0${text}` }));
    const last = Number.MAX_SAFE_INTEGER;
    await registry.leaseEvents([{ ...released("a", last), outcome }], last);
    await registry.stop();
    await open();
    expect(registry.core.memory.cursor).toBe(last);
    expect(await registry.store.set("s")).toMatchObject({ displayName: `a\0${text}` });
    const [task] = await registry.store.tasks(["s/a"]);
    expect(task?.attempts).toMatchObject([{ token: last, outcome }]);
    expect(Buffer.from((await registry.store.specs(["s/a"])).get("s/a") ?? [])).toEqual(Buffer.from(spec));
  });

  it("remembers requests, and lists sets newest first", async () => {
    for (const [index, set] of ["s1", "s2", "s3"].entries()) {
      await clock.advance(index);
      await registry.submit(exampleSubmission([exampleTask("a")], { set, requestId: `id-${set}`, digest: `d-${set}` }));
    }
    expect(await registry.store.request("id-s2")).toMatchObject({
      requestId: "id-s2",
      digest: "d-s2",
      set: "s2",
      taskCount: 1,
    });
    expect(await registry.store.request("id-s4")).toBeUndefined();
    const names = async (before?: { createMs: number; set: string }) =>
      (await registry.store.sets(before, 2)).map(({ set, createMs }) => ({ set, createMs }));
    const [newest, middle] = await names();
    expect([newest?.set, middle?.set]).toEqual(["s3", "s2"]);
    expect((await names(middle)).map(({ set }) => set)).toEqual(["s1"]);
    expect(await registry.store.states("s1", ["a", "b"])).toEqual(new Map([["a", "READY"]]));
  });

  it("counts and follows history by revision", async () => {
    await registry.submit(exampleSubmission(["a", "b", "c"].map((id) => exampleTask(id))));
    await registry.leaseEvents([released("a", 1)], 1);
    await registry.leaseEvents([released("b", 2)], 2);
    expect(await registry.store.countFinals(everything)).toBe(2);
    const [first, second] = await registry.store.finalsSince(everything, 0, 10);
    expect([first?.header.id, second?.header.id]).toEqual(["a", "b"]);
    const after = await registry.store.finalsSince(everything, first?.status.revision ?? 0, 10);
    expect(after.map(({ header }) => header.id)).toEqual(["b"]);
  });
}

function leaderSuite(create: () => RegistryFixture): void {
  let fixture: RegistryFixture;
  let store: RegistryStore;
  beforeEach(() => {
    fixture = create();
    store = fixture.open().store;
  });
  afterEach(async () => {
    await store.close();
    await fixture.dispose();
  });

  it("grows with every leader, who finds what the one before has committed", async () => {
    expect(await store.lead("a")).toMatchObject({ epoch: 1, n: 0, groups: [] });
    await store.commit(group(1, 1, 7));
    const loaded = await store.lead("b", 1);
    expect(loaded).toMatchObject({ epoch: 2, n: 1 });
    expect(loaded.rows).toMatchObject([{ kind: "base", cursor: 7 }]);
    expect(await store.position()).toEqual({ epoch: 2, n: 1, holder: "b" });
    await store.resign(1);
    expect(await store.position()).toMatchObject({ holder: "b" });
    await store.resign(2);
    expect(await store.position()).toEqual({ epoch: 2, n: 1, holder: "" });
  });

  it.each([
    ["an old epoch", 1, 1],
    ["a number that was used", 2, 0],
    ["a gap", 2, 2],
  ])("refuses a commit under %s and changes nothing", async (_what, epoch, n) => {
    await store.lead("a");
    await store.lead("b");
    await expect(store.commit(group(epoch, n, 7))).rejects.toThrow(LeadLost);
    expect((await store.lead("c")).rows).toMatchObject([{ kind: "base", cursor: 0 }]);
    await expect(store.lead("d", 1)).rejects.toThrow(LeadLost);
  });

  it("refuses a second task of the same order or key, and changes nothing", async () => {
    await store.lead("a");
    const rows = (order: number, id: string): Row[] => [
      { kind: "task", task: exampleSnapshot(order, id), spec: new Uint8Array(1) },
    ];
    await store.commit({ ...group(1, 1, 1), rows: rows(1, "a") });
    await expect(store.commit({ ...group(1, 2, 2), rows: rows(1, "b") })).rejects.toThrow(CommitRefused);
    await expect(store.commit({ ...group(1, 2, 2), rows: rows(2, "a") })).rejects.toThrow(CommitRefused);
    expect(await store.position()).toMatchObject({ epoch: 1, n: 1 });
  });
}

function group(epoch: number, n: number, position: number): Group<Change, Row> {
  return { epoch, n, wallMs: n, changes: [{ kind: "cursor", position }], rows: [], replayFrom: n + 1 };
}

/** A live task, as the core makes one. */
function exampleSnapshot(order: number, id: string): TaskSnapshot {
  const bench = new Bench();
  const facts = { drops: 0, existing: new Map<string, never>(), set: undefined, request: undefined };
  bench.do({ kind: "submit", submission: exampleSubmission([exampleTask(id)]), facts });
  const { header, status, attempts, events } = bench.task(id);
  return { header: { ...header, order }, status, attempts, events };
}
