import type { EngineStore, Group, Loaded, Position } from "@berth/chassis/engine";
import type { Change, Row } from "@berth/pool-manager/internal/domain/changes";
import { attemptKey, type Lease } from "@berth/pool-manager/internal/domain/lease";
import type { JournalPage, LimitChangeRow, PoolStore } from "@berth/pool-manager/internal/engine/ports";
import { MemoryDisk, MemoryStore } from "@berth/pool-manager/internal/store/memory";
import type { Process } from "./host.js";
import type { Faults } from "./plan.js";
import type { World } from "./world.js";

/** One group as it was committed, and by which process. */
export type Committed = Group<Change, Row>;

/** What the pool-manager's database holds, and whether it can be reached. It lives on through every crash. */
export class Disk {
  readonly held = new MemoryDisk();
  readonly byKey = new Map<string, Lease>();
  readonly byId = new Map<string, Lease>();
  private awayUntilMs = 0;
  private readonly world: World;
  private readonly faults: Faults;
  readonly onCommitted: (group: Committed, by: string) => void;
  healed = false;

  constructor(world: World, faults: Faults, onCommitted: (group: Committed, by: string) => void) {
    this.world = world;
    this.faults = faults;
    this.onCommitted = onCommitted;
  }

  /** Can't be reached for a while. */
  goAway(forMs: number): void {
    this.world.trace("store away");
    this.world.incidents.add("store away");
    this.awayUntilMs = this.world.nowMs + forMs;
  }

  heal(): void {
    this.healed = true;
    this.awayUntilMs = 0;
  }

  /** What happens to a call that is at the database now. */
  fate(isCommit: boolean): "done" | "fails" | "unknown" {
    const { random } = this.world;
    if (this.world.nowMs < this.awayUntilMs) return "fails";
    if (!isCommit || this.healed) return "done";
    if (random.chance(this.faults.commitFails)) return "fails";
    return random.chance(this.faults.commitUnknown) ? "unknown" : "done";
  }
}

/** One process's connection to the disk: every call takes time, on the way there and on the way back, and its answer may be lost. */
export class SimulatedStore implements PoolStore {
  /** Calls under way. */
  busy = 0;
  private readonly memory: MemoryStore;
  protected readonly disk: Disk;
  private readonly process: Process;

  constructor(disk: Disk, process: Process) {
    this.disk = disk;
    this.process = process;
    this.memory = new MemoryStore(disk.held);
  }

  lead(holder: string, seen?: number): ReturnType<EngineStore<Change, Row>["lead"]> {
    return this.call("lead", false, (): Promise<Loaded<Change, Row>> => this.memory.lead(holder, seen));
  }

  commit(group: Committed): Promise<void> {
    return this.call("commit", true, () => this.apply(group));
  }

  /** Applies a group at the disk. */
  protected async apply(group: Committed): Promise<void> {
    await this.memory.commit(group);
    for (const row of group.rows) {
      if (row.t !== "lease" || row.lease.state !== "RELEASED") continue;
      this.disk.byId.set(row.lease.id, row.lease);
      this.disk.byKey.set(attemptKey(row.lease.task, row.lease.attempt), row.lease);
    }
    this.disk.onCommitted(group, this.process.name);
  }

  position(): Promise<Position> {
    return this.call("position", false, () => this.memory.position());
  }

  resign(epoch: number): Promise<void> {
    return this.call("resign", false, () => this.memory.resign(epoch));
  }

  async close(): Promise<void> {}

  finishedByKeys(keys: readonly string[]): Promise<Lease[]> {
    return this.call("finishedByKeys", false, () => keys.flatMap((key) => this.disk.byKey.get(key) ?? []));
  }

  finishedByIds(ids: readonly string[]): Promise<Lease[]> {
    return this.call("finishedByIds", false, () => ids.flatMap((id) => this.disk.byId.get(id) ?? []));
  }

  async listFinished(): Promise<Lease[]> {
    return [...this.disk.byId.values()];
  }

  async listLimitChanges(): Promise<LimitChangeRow[]> {
    return [];
  }

  journalAfter(n: number, max: number): Promise<JournalPage> {
    return this.call("journalAfter", false, () => this.journalPage(n, max));
  }

  occupying(): Promise<{ n: number; leases: readonly Lease[] }> {
    return this.call("occupying", false, () => this.memory.occupying());
  }

  prune(bounds: { journalBelow: number; endedBeforeMs: number; max: number }): Promise<number> {
    return this.call("prune", false, () => this.memory.prune(bounds));
  }

  private journalPage(after: number, max: number): JournalPage {
    const { journal, n: lastN } = this.disk.held;
    const groups: JournalPage["groups"][number][] = [];
    for (let n = after + 1; n <= lastN; n++) {
      const group = journal.get(n);
      if (!group) continue;
      if (groups.length === max) return { groups, firstN: 0, more: true };
      groups.push({ n, wallMs: group.wallMs, changes: JSON.parse(group.changes) as Change[] });
    }
    return { groups, firstN: 0, more: false };
  }

  /** The way there belongs to the network: a call under way reaches the disk even if its process dies meanwhile. */
  private call<Value>(what: string, isCommit: boolean, act: () => Value | Promise<Value>): Promise<Value> {
    const { world } = this.process.host;
    const { random } = world;
    this.busy++;
    return new Promise<Value>((resolve, reject) => {
      const answer = (settle: () => void): void =>
        world.after(random.between(0.1, 1.5), () =>
          this.process.enter(() => {
            this.busy--;
            settle();
          }),
        );
      const arrive = async (): Promise<void> => {
        world.touched = true;
        const fate = this.disk.fate(isCommit);
        if (fate !== "done" && isCommit) world.incidents.add(fate === "fails" ? "commits failed" : "commits unknown");
        if (fate !== "done") world.trace(`${this.process.name} ${what} ${fate}`);
        if (fate === "fails") return answer(() => reject(new Error("the store can't be reached")));
        try {
          const value = await act();
          answer(() => (fate === "unknown" ? reject(new Error("the answer was lost")) : resolve(value)));
        } catch (error) {
          answer(() => reject(error));
        }
      };
      world.after(
        !this.disk.healed && random.chance(0.01) ? random.spread(100) : random.between(0.1, 2),
        () => void arrive(),
      );
    });
  }
}
