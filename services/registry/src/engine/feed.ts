import type { TaskChange } from "../domain/commands.js";
import { copyOf } from "../domain/read.js";
import type { TaskSnapshot } from "../domain/task.js";

/** Most tasks that wait for one watcher. */
export const waitingMax = 100_000;
/** Most that wait for all watchers together; beyond it the one that holds most is given up. */
export const waitingTotalMax = 1_000_000;

interface Waiting {
  readonly task: TaskSnapshot;
  /** First of its changes that the watcher hasn't seen. */
  readonly firstRevision: number;
}

/** One change as watchers keep it: copied once, however many they are. */
class SharedChange {
  readonly present: TaskSnapshot;
  private copied: TaskSnapshot | undefined;
  private shortened: TaskSnapshot | undefined;

  constructor(present: TaskSnapshot) {
    this.present = present;
  }

  get whole(): TaskSnapshot {
    this.copied ??= copyOf(this.present);
    return this.copied;
  }

  get brief(): TaskSnapshot {
    this.shortened ??= { ...this.present, attempts: [], events: [] };
    return this.shortened;
  }
}

/** What one watcher hasn't seen yet: the present state of each task that changed, oldest first change first. */
export class Watcher {
  /** True once more than `waitingMax` tasks waited, or it held most when all held too much; nothing is kept from then on. */
  overflowed = false;
  private readonly waiting = new Map<string, Waiting>();
  private readonly matches: (task: TaskSnapshot) => boolean;
  private readonly whole: boolean;
  private wake: (() => void) | undefined;

  constructor(matches: (task: TaskSnapshot) => boolean, whole: boolean) {
    this.matches = matches;
    this.whole = whole;
  }

  /** Tasks that wait. */
  get size(): number {
    return this.waiting.size;
  }

  /** Notes a change after its commit. `shared` is what all watchers of it keep. */
  note({ key, status }: TaskChange, shared: SharedChange): void {
    if (this.overflowed) return;
    const { present } = shared;
    if (!this.matches(present)) {
      // It may have matched before, by its state: what waits is out of date either way.
      this.waiting.delete(key);
      return;
    }
    const firstRevision = this.waiting.get(key)?.firstRevision ?? status.revision;
    this.waiting.set(key, { task: this.whole ? shared.whole : shared.brief, firstRevision });
    if (this.waiting.size > waitingMax) this.overflow();
    this.wake?.();
  }

  /** Takes up to `max` tasks; waits until there is one, or the signal aborts (then none). */
  async take(max: number, signal: AbortSignal): Promise<TaskSnapshot[]> {
    while (this.waiting.size === 0 && !signal.aborted && !this.overflowed) {
      await new Promise<void>((resolve) => {
        this.wake = () => {
          signal.removeEventListener("abort", this.wake as () => void);
          this.wake = undefined;
          resolve();
        };
        signal.addEventListener("abort", this.wake, { once: true });
      });
    }
    const taken: TaskSnapshot[] = [];
    for (const [key, { task }] of this.waiting) {
      if (taken.length >= max) break;
      taken.push(task);
      this.waiting.delete(key);
    }
    return taken;
  }

  /** Largest revision up to which everything has been taken; `latest` is that of the last commit. */
  seen(latest: number): number {
    const next = this.waiting.values().next().value;
    return next ? next.firstRevision - 1 : latest;
  }

  /** Gives up on the reader. */
  overflow(): void {
    this.overflowed = true;
    this.waiting.clear();
    this.wake?.();
  }
}

/** Hands committed changes to whoever watches. */
export class Feed {
  /** Revision of the last committed change. */
  revision = 0;
  private readonly watchers = new Set<Watcher>();
  private readonly totalMax: number;

  constructor(totalMax: number = waitingTotalMax) {
    this.totalMax = totalMax;
  }

  /** Watchers there are. */
  get size(): number {
    return this.watchers.size;
  }

  /** Adds a watcher. `whole` keeps attempts and history too. */
  open(matches: (task: TaskSnapshot) => boolean, whole: boolean): Watcher {
    const watcher = new Watcher(matches, whole);
    this.watchers.add(watcher);
    return watcher;
  }

  /** Takes a watcher away. */
  close(watcher: Watcher): void {
    this.watchers.delete(watcher);
  }

  /** Notes a committed change. */
  note(change: TaskChange): void {
    this.revision = Math.max(this.revision, change.status.revision);
    const { status, subject } = change;
    if (!subject || this.watchers.size === 0) return;
    const shared = new SharedChange({
      header: subject.header,
      status,
      attempts: subject.attempts,
      events: subject.events,
    });
    let waiting = 0;
    for (const watcher of this.watchers) {
      watcher.note(change, shared);
      waiting += watcher.size;
    }
    if (waiting > this.totalMax) this.longest().overflow();
  }

  private longest(): Watcher {
    return [...this.watchers].reduce((one, other) => (other.size > one.size ? other : one));
  }
}
