import type { Faults } from "./plan.js";
import type { World } from "./world.js";

/** Messages between named places. They may be lost, doubled, late, and so out of order; a direction may be cut for a while. */
export class Network {
  private readonly world: World;
  private readonly faults: Faults;
  private readonly cuts = new Set<string>();
  private sent = 0;
  /** The latest message that arrived, by direction: one that arrives after it and was sent before is out of order. */
  private readonly latest = new Map<string, number>();
  healed = false;

  constructor(world: World, faults: Faults) {
    this.world = world;
    this.faults = faults;
  }

  /** Sends once; `deliver` is called no time, once or twice. The sender may be dead by then. */
  send(from: string, to: string, what: string, deliver: () => void): void {
    const { random } = this.world;
    const { loss, double } = this.faults;
    const copies = this.healed ? 1 : random.chance(loss) ? 0 : random.chance(double) ? 2 : 1;
    if (copies !== 1) this.world.incidents.add(copies === 0 ? "lost" : "doubled");
    if (copies !== 1) this.world.trace(`${copies === 0 ? "lost" : "doubled"} ${from}>${to} ${what}`);
    const number = ++this.sent;
    for (let i = 0; i < copies; i++)
      this.world.after(this.delayMs(), () => this.arrive(from, to, what, number, deliver));
  }

  /** Cuts one direction, or heals it. */
  cut(from: string, to: string, forMs: number): void {
    const key = `${from}>${to}`;
    this.world.trace(`cut ${key}`);
    this.cuts.add(key);
    this.world.after(forMs, () => this.cuts.delete(key));
  }

  heal(): void {
    this.healed = true;
    this.cuts.clear();
  }

  private arrive(from: string, to: string, what: string, number: number, deliver: () => void): void {
    const direction = `${from}>${to}`;
    if (this.cuts.has(direction)) return this.world.incidents.add("cut");
    const latest = this.latest.get(direction) ?? 0;
    if (number < latest) this.world.incidents.add("reordered");
    this.latest.set(direction, Math.max(number, latest));
    this.world.trace(`${direction} ${what}`);
    deliver();
  }

  private delayMs(): number {
    const { random } = this.world;
    const { late, lateMs } = this.faults;
    if (!this.healed && random.chance(late)) {
      this.world.incidents.add("late");
      return random.spread(lateMs);
    }
    return random.between(0.2, 4);
  }
}
