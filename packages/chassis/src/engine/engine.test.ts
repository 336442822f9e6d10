import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import {
  CommitRefused,
  type Core,
  type Decision,
  Engine,
  type EngineStore,
  type Group,
  LeadLost,
  type Loaded,
} from "./index.js";

type Command = { key: string; value: number; final?: boolean; silent?: boolean };
type Change = { key: string; value: number; final: boolean };
type Row = Change;

/** A core that keeps the last value of each key. */
class Cells implements Core<Command, number, Change, Row> {
  readonly cells = new Map<string, Change>();
  decide(command: Command): Decision<number, Change> {
    if (command.silent) return { outcome: command.value, changes: [], silent: true };
    const change = { key: command.key, value: command.value, final: command.final ?? false };
    this.apply(change);
    return { outcome: command.value, changes: [change] };
  }
  apply(change: Change) {
    this.cells.set(change.key, change);
  }
  rowKey(change: Change) {
    return change.key;
  }
  row(key: string) {
    const row = this.cells.get(key);
    return row && { row, final: row.final };
  }
  written(key: string) {
    this.cells.delete(key);
  }
}

/** What is at rest, and a switch for what the next commits do. */
class Disk {
  epoch = 0;
  n = 0;
  replayFrom = 1;
  holder = "";
  readonly rows = new Map<string, Row>();
  readonly journal: Group<Change, Row>[] = [];
  readonly faults: ("fails" | "unknown" | "refused")[] = [];
}

class DiskStore implements EngineStore<Change, Row> {
  private readonly disk: Disk;
  constructor(disk: Disk) {
    this.disk = disk;
  }
  async lead(holder: string, seen = this.disk.epoch): Promise<Loaded<Change, Row>> {
    if (seen !== this.disk.epoch) throw new LeadLost("elsewhere");
    this.disk.epoch++;
    this.disk.holder = holder;
    const rows = [...this.disk.rows.values()].filter((row) => !row.final);
    return {
      epoch: this.disk.epoch,
      n: this.disk.n,
      rows,
      groups: this.disk.journal.filter((group) => group.n >= this.disk.replayFrom),
    };
  }
  async commit(group: Group<Change, Row>) {
    const { disk } = this;
    const fault = disk.faults.shift();
    if (fault === "fails") throw new Error("the disk is full");
    if (fault === "refused") throw new CommitRefused("unique");
    if (disk.epoch !== group.epoch || disk.n !== group.n - 1) throw new LeadLost("elsewhere");
    disk.n = group.n;
    disk.replayFrom = group.replayFrom;
    disk.journal.push(group);
    for (const row of group.rows) disk.rows.set(row.key, row);
    if (fault === "unknown") throw new Error("the connection broke");
  }
  async position() {
    return { epoch: this.disk.epoch, n: this.disk.n, holder: this.disk.holder };
  }
  async resign(epoch: number) {
    if (epoch === this.disk.epoch) this.disk.holder = "";
  }
  async close() {}
}

interface Extra {
  readonly checkpointAfterGroups?: number;
  readonly maxQueuedCommands?: number;
  readonly maxGroupCommands?: number;
}

async function begin(disk = new Disk(), extra: Extra = {}) {
  const made = unstarted(disk, extra);
  await made.engine.start();
  return made;
}

function unstarted(disk = new Disk(), extra: Extra = {}) {
  const clock = new ManualClock();
  const core = new Cells();
  const failures: Error[] = [];
  const load = (rows: readonly Row[]) => {
    for (const row of rows) core.apply(row);
  };
  const onFailed = (error: Error) => void failures.push(error);
  const engine = new Engine({
    core,
    store: new DiskStore(disk),
    load,
    clock,
    logger: silentLogger,
    name: "test",
    onFailed,
    ...extra,
  });
  return { clock, core, disk, engine, failures };
}

describe("the engine", () => {
  it("commits everything that came in one turn as one group and answers in order", async () => {
    const { engine, disk } = await begin();
    const answered: number[] = [];
    await Promise.all(
      [1, 2, 3].map((value) => engine.submit({ key: "a", value }).then((outcome) => answered.push(outcome))),
    );
    expect(answered).toEqual([1, 2, 3]);
    expect(disk.journal.map((group) => group.changes.length)).toEqual([3]);
  });

  it("commits nothing for a turn of silent decisions, and everything as soon as one of the turn isn't", async () => {
    const { engine, disk } = await begin();
    expect(await engine.submit({ key: "a", value: 1, silent: true })).toBe(1);
    expect(disk.n).toBe(0);
    await Promise.all([engine.submit({ key: "a", value: 2, silent: true }), engine.submit({ key: "b", value: 3 })]);
    expect(disk.n).toBe(1);
    expect(engine.figures).toMatchObject({ commits: 1, commands: 3, changes: 1 });
  });

  it("confirms by a commit, if only an empty one", async () => {
    const { engine, disk, clock } = await begin();
    await clock.advance(500);
    await engine.confirm();
    expect([disk.n, disk.journal.map(({ changes }) => changes)]).toEqual([1, [[]]]);
    expect(engine.confirmedMs).toBe(clock.monoMs());
    await Promise.all([engine.submit({ key: "a", value: 1, silent: true }), engine.confirm()]);
    expect(disk.n).toBe(2);
  });

  it("answers only after the commit, and tells listeners before that", async () => {
    const { engine, disk } = await begin();
    const seen: string[] = [];
    engine.onCommit((commit) => seen.push(`commit ${commit.n}, at rest ${disk.n}`));
    await engine.submit({ key: "a", value: 1 }).then(() => seen.push("answer"));
    expect(seen).toEqual(["commit 1, at rest 1", "answer"]);
  });

  it("sends a failed group again, unchanged, and nothing behind it first", async () => {
    const { engine, disk, clock } = await begin();
    disk.faults.push("fails", "fails");
    const first = engine.submit({ key: "a", value: 1 });
    await clock.advance(0);
    expect(engine.state).toBe("stalled");
    await clock.advance(1_000);
    expect(await first).toBe(1);
    expect(await engine.submit({ key: "a", value: 2 })).toBe(2);
    expect(disk.journal.map((group) => group.n)).toEqual([1, 2]);
  });

  it("reads the leader row when the fate of a commit is unknown, and doesn't commit twice", async () => {
    const { engine, disk, clock } = await begin();
    disk.faults.push("unknown");
    const first = engine.submit({ key: "a", value: 1 });
    await clock.advance(1_000);
    expect(await first).toBe(1);
    expect(disk.journal).toHaveLength(1);
  });

  it("tells callers that wait longer than the hold that the store is stalled, and still commits", async () => {
    const { engine, disk, clock } = await begin();
    disk.faults.push(...Array<"fails">(100).fill("fails"));
    const waiting = engine.submit({ key: "a", value: 1 }).catch((error) => error.reason);
    await clock.advance(6_000);
    expect(await waiting).toBe("STORE_STALLED");
    await expect(engine.submit({ key: "b", value: 1 })).rejects.toMatchObject({ reason: "STORE_STALLED" });
    disk.faults.length = 0;
    await clock.advance(2_000);
    expect(disk.rows.size + disk.journal.length).toBe(1);
    expect(engine.state).toBe("running");
  });

  it("fails when another leader has taken over: it commits and answers nothing more", async () => {
    const { engine, disk, failures } = await begin();
    disk.epoch++;
    await expect(engine.submit({ key: "a", value: 1 })).rejects.toMatchObject({ reason: "NOT_READY" });
    expect(failures).toHaveLength(1);
    expect(disk.journal).toHaveLength(0);
    await expect(engine.submit({ key: "a", value: 1 })).rejects.toMatchObject({ reason: "NOT_READY" });
  });

  it("fails when the store refuses the content", async () => {
    const { engine, disk, failures } = await begin();
    disk.faults.push("refused");
    await expect(engine.submit({ key: "a", value: 1 })).rejects.toMatchObject({ reason: "NOT_READY" });
    expect(failures[0]).toBeInstanceOf(CommitRefused);
  });

  it("decides nothing behind a group that it gave up when it was stopped, and leaves nobody waiting", async () => {
    const { engine, disk, clock } = await begin(new Disk(), { maxGroupCommands: 1 });
    disk.faults.push(...Array<"fails">(100).fill("fails"));
    const answers = ["a", "b"].map((key) => engine.submit({ key, value: 1 }).catch((error) => error.reason));
    await clock.advance(10);
    const stopped = engine.stop();
    await clock.advance(4_990);
    // Well again, at the moment when the first group is given up: only that one could be right.
    disk.faults.length = 0;
    disk.faults.push("fails");
    await clock.advance(10_000);
    await stopped;
    expect(await Promise.all(answers)).toEqual([expect.anything(), expect.anything()]);
    expect(disk.journal.flatMap((group) => group.changes.map(({ key }) => key))).not.toEqual(["b"]);
  });

  it("answers what waits if the store is well again before a stop gives up", async () => {
    const { engine, disk, clock } = await begin(new Disk(), { maxGroupCommands: 1 });
    disk.faults.push("fails", "fails");
    const answers = ["a", "b"].map((key, value) => engine.submit({ key, value }));
    await clock.advance(10);
    const stopped = engine.stop();
    await clock.advance(1_000);
    await stopped;
    expect(await Promise.all(answers)).toEqual([0, 1]);
  });

  it("doesn't begin to run when it was stopped while it loaded", async () => {
    const store = new DiskStore(new Disk());
    let lead = () => {};
    const core = new Cells();
    const engine = new Engine({
      core,
      store: Object.assign(store, {
        lead: () =>
          new Promise<Loaded<Change, Row>>((resolve) => {
            lead = () => resolve({ epoch: 1, n: 0, rows: [], groups: [] });
          }),
      }),
      load: () => {},
      clock: new ManualClock(),
      logger: silentLogger,
      name: "test",
      onFailed: () => {},
    });
    const started = engine.start();
    await engine.stop();
    lead();
    await started;
    expect(engine.state).toBe("stopped");
    await expect(engine.submit({ key: "a", value: 1 })).rejects.toMatchObject({ reason: "NOT_READY" });
  });

  it("holds callers of a second stall as long as those of the first", async () => {
    const { engine, disk, clock } = await begin();
    disk.faults.push("fails");
    const first = engine.submit({ key: "a", value: 1 });
    await clock.advance(4_000);
    expect(await first).toBe(1);
    disk.faults.push(...Array<"fails">(100).fill("fails"));
    let told = "";
    engine.submit({ key: "a", value: 2 }).catch((error) => {
      told = error.reason;
    });
    await clock.advance(4_900);
    expect(told).toBe("");
    await clock.advance(200);
    expect(told).toBe("STORE_STALLED");
  });

  it("refuses commands above its bound with a delay to wait", async () => {
    const { engine } = await begin(new Disk(), { maxQueuedCommands: 2 });
    const first = [engine.submit({ key: "a", value: 1 }), engine.submit({ key: "a", value: 2 })];
    await expect(engine.submit({ key: "a", value: 3 })).rejects.toMatchObject({
      reason: "QUEUE_FULL",
      details: { retryAfterMs: 100 },
    });
    expect(await Promise.all(first)).toEqual([1, 2]);
  });

  it("loads what was live from rows and journal", async () => {
    const { engine, disk } = await begin();
    await engine.submit({ key: "live", value: 1 });
    await engine.submit({ key: "done", value: 2, final: true });
    await engine.submit({ key: "live", value: 3 });
    await engine.stop();
    const again = await begin(disk);
    expect(again.engine.epoch).toBe(2);
    expect(again.core.cells.get("live")?.value).toBe(3);
    expect(disk.rows.get("done")?.value).toBe(2);
  });

  it("writes the row of a live subject after so many commits, so that replay begins later", async () => {
    const { engine, disk } = await begin(new Disk(), { checkpointAfterGroups: 3 });
    await engine.submit({ key: "long", value: 1 });
    for (let value = 1; value <= 10; value++) await engine.submit({ key: `short${value}`, value, final: true });
    expect(disk.rows.get("long")?.value).toBe(1);
    expect(disk.replayFrom).toBe(disk.n + 1);
  });

  it("takes over from the epoch that was seen; if another one was quicker, it may be started again", async () => {
    const disk = new Disk();
    disk.epoch = 7;
    const { engine } = unstarted(disk);
    await expect(engine.start(6)).rejects.toThrow(LeadLost);
    expect(engine.state).toBe("new");
    await engine.start(7);
    expect(engine.epoch).toBe(8);
    expect(disk.holder).toBe("test");
  });

  it("gives its leadership up when it stops, unless another one has it", async () => {
    const { engine, disk } = await begin();
    await engine.stop();
    expect(disk).toMatchObject({ epoch: 1, holder: "" });
    const again = await begin(disk);
    disk.epoch++;
    disk.holder = "another";
    await again.engine.stop();
    expect(disk.holder).toBe("another");
  });

  it("doesn't begin to lead once it was stopped", async () => {
    const { engine, failures } = unstarted();
    const starting = engine.start();
    await engine.stop();
    await starting;
    expect(engine.state).toBe("stopped");
    await expect(engine.submit({ key: "a", value: 1 })).rejects.toMatchObject({ reason: "NOT_READY" });
    expect(failures).toEqual([]);
  });
});
