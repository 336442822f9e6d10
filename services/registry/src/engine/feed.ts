import type { TaskChange } from "../domain/commands.js";
import { copyOf } from "../domain/read.js";
import type { TaskSnapshot } from "../domain/task.js";

/** Most tasks that wait for one watcher. */
export const waitingMax = 100_000;

interface Waiting {
  readonly task: TaskSnapshot;
  /** First of its changes that the watcher hasn't seen. */
  readonly firstRevision: number;
}

/** What one watcher hasn't seen yet: the present state of each task that changed, oldest first change first. */
export class Watcher {
  /** True once more than `waitingMax` tasks waited; nothing is kept from then on. */
  overflowed = false;
  private readonly waiting = new Map<string, Waiting>();
  private readonly matches: (task: TaskSnapshot) => boolean;
  private readonly whole: boolean;
  private wake: (() => void) | undefined;

  constructor(matches: (task: TaskSnapshot) => boolean, whole: boolean) {
    this.matches = matches;
    this.whole = whole;
  }

  /** Notes a change after its commit. */
  note({ key, status, subject }: TaskChange): void {
    if (!subject || this.overflowed) return;
    const present = { header: subject.header, status, attempts: subject.attempts, events: subject.events };
    if (!this.matches(present)) {
      // It may have matched before, by its state: what waits is out of date either way.
      this.waiting.delete(key);
      return;
    }
    const firstRevision = this.waiting.get(key)?.firstRevision ?? status.revision;
    this.waiting.set(key, {
      task: this.whole ? copyOf(present) : { ...present, attempts: [], events: [] },
      firstRevision,
    });
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

  private overflow(): void {
    this.overflowed = true;
    this.waiting.clear();
  }
}

/** Hands committed changes to whoever watches. */
export class Feed {
  /** Revision of the last committed change. */
  revision = 0;
  private readonly watchers = new Set<Watcher>();

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
    for (const watcher of this.watchers) watcher.note(change);
  }
}
