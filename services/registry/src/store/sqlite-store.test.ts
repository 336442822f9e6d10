import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, systemClock } from "@berth/chassis/clock";
import type { Group } from "@berth/chassis/engine";
import { silentLogger } from "@berth/chassis/log";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, Row } from "../domain/commands.js";
import {
  everything,
  exampleCatalogue,
  exampleOutcome,
  exampleSettings,
  exampleSubmission,
  exampleTask,
} from "../domain/examples.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import { Registry } from "../engine/registry.js";
import { SqliteRegistryStore } from "./sqlite-store.js";

describe("the registry on SQLite", () => {
  let folder: string;
  let registry: Registry;
  const clock = new ManualClock();

  async function open(store = new SqliteRegistryStore(join(folder, "registry.db"))): Promise<void> {
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
    folder = mkdtempSync(join(tmpdir(), "registry-"));
    await open();
  });
  afterEach(async () => {
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
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

  it("takes a commit whose answer was lost once, and goes on", async () => {
    await registry.stop();
    class Forgetful extends SqliteRegistryStore {
      lose = false;
      override async commit(group: Group<Change, Row>): Promise<void> {
        await super.commit(group);
        if (!this.lose) return;
        this.lose = false;
        throw new Error("connection lost");
      }
    }
    const store = new Forgetful(join(folder, "registry.db"));
    await open(store);
    store.lose = true;
    const submitted = registry.submit(exampleSubmission([exampleTask("a")]));
    // The catalogue's commit is the one whose answer is lost; the engine asks again after 20 ms.
    for (let round = 0; round < 20; round++) await clock.advance(20);
    expect(await submitted).toMatchObject({ taskCount: 1 });
    expect(registry.core.memory.tasks.size).toBe(1);
  });

  it("finds history by filter, and forgets it when it is old enough", async () => {
    await registry.submit(
      exampleSubmission([exampleTask("a", [], { tenant: "t1" }), exampleTask("b", [], { skill: "render" })]),
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
    const pruned = await registry.store.prune({ endedBeforeMs: clock.wallMs() + 1, requestsBeforeMs: 0, max: 10 });
    expect(pruned.sort()).toEqual(["s/a", "s/b"]);
    expect(await registry.store.set("s")).toBeUndefined();
  });

  it("takes 1,000 tasks, and their ends, in two commits", async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
    const tasks = ids.map((id) => exampleTask(id));
    const beganMs = systemClock.monoMs();
    await registry.submit(exampleSubmission(tasks));
    const submittedMs = systemClock.monoMs();
    await registry.leaseEvents(
      ids.map((id, index) => released(id, index + 1)),
      1_000,
    );
    const endedMs = systemClock.monoMs();
    // Bounds that only a mistake in kind breaks; the README has what was measured.
    expect(submittedMs - beganMs).toBeLessThan(2_000);
    expect(endedMs - submittedMs).toBeLessThan(2_000);
    expect(registry.core.memory.tasks.size).toBe(0);
  });
});
