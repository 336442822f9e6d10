import type { TaskSnapshot } from "../domain/task.js";
import type { Registry } from "./registry.js";

/** A piece of output. */
export interface LogPiece {
  readonly key: string;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly stderr: boolean;
}

/** A piece with the token of the lease that it was written under. */
export interface TokenPiece extends LogPiece {
  /** 0 where the sender has none. */
  readonly token: number;
}

/** What is kept of one attempt's output. */
export interface LogTotals {
  /** Offset behind the last byte that came. */
  readonly nextOffset: number;
  /** Bytes that are kept. */
  readonly keptBytes: number;
}

/** Keeps head and tail of each attempt's output. */
export interface LogStore {
  /**
   * Appends pieces, oldest first within their attempt; all or nothing. A repeat, or the part of a piece that came before, is cut away. `limitOf`
   * says how many bytes are kept of an attempt: the first half of them from its beginning, the rest from its end.
   */
  append(pieces: readonly LogPiece[], limitOf: (key: string) => number): Promise<void>;
  /** What is kept of an attempt; undefined if it never wrote. */
  totals(key: string, attempt: number): Promise<LogTotals | undefined>;
  /** Pieces from an offset on, in order. */
  read(key: string, attempt: number, fromOffset: number, max: number): Promise<LogPiece[]>;
  /** Deletes the output of tasks. */
  remove(keys: readonly string[]): Promise<void>;
  /** Closes the store. Safe to call twice. */
  close(): Promise<void>;
}

/** Takes output, refuses that of stale leases, and tells who watches. */
export class Logs {
  readonly store: LogStore;
  /** Pieces that came with a stale token, or for a task that isn't there. */
  staleCount = 0;
  private readonly registry: Registry;
  private readonly limitBytes: number;
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(registry: Registry, store: LogStore, limitBytes: number) {
    this.registry = registry;
    this.store = store;
    this.limitBytes = limitBytes;
  }

  /** Appends pieces. Those with a stale token change nothing and are counted. */
  async append(pieces: readonly TokenPiece[]): Promise<void> {
    const tasks = await this.tasksOf(pieces);
    const valid = pieces.filter((piece) => this.isValid(piece, tasks.get(piece.key)));
    this.staleCount += pieces.length - valid.length;
    if (valid.length === 0) return;
    await this.store.append(valid, (key) => tasks.get(key)?.header.logLimitBytes || this.limitBytes);
    for (const key of new Set(valid.map((piece) => piece.key)))
      for (const wake of this.listeners.get(key) ?? []) wake();
  }

  /** Calls back when output of a task arrives. */
  listen(key: string, wake: () => void): () => void {
    const set = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, set.add(wake));
    return () => {
      set.delete(wake);
      if (set.size === 0) this.listeners.delete(key);
    };
  }

  private async tasksOf(pieces: readonly TokenPiece[]): Promise<Map<string, TaskSnapshot>> {
    const { tasks } = this.registry.core.memory;
    const found = new Map<string, TaskSnapshot>();
    const stored: string[] = [];
    for (const key of new Set(pieces.map((piece) => piece.key))) {
      const live = tasks.get(key);
      if (live) found.set(key, live);
      else stored.push(key);
    }
    if (stored.length > 0) for (const task of await this.registry.store.tasks(stored)) found.set(task.header.key, task);
    return found;
  }

  /** The lease's own event may come after its first output: an attempt whose token isn't known yet takes any. */
  private isValid(piece: TokenPiece, task: TaskSnapshot | undefined): boolean {
    if (!task || piece.attempt < 1 || piece.attempt > task.status.attempt) return false;
    const known = task.attempts.find(({ attempt }) => attempt === piece.attempt)?.token ?? 0;
    return known === 0 || known === piece.token;
  }
}
