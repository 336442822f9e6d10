import type { TaskSnapshot } from "../domain/task.js";
import type { Registry } from "./registry.js";

/** A piece of output with the token of the lease that it was written under. */
export interface TokenPiece {
  readonly key: string;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly stderr: boolean;
  /** 0 where the sender has none. */
  readonly token: number;
}

/** What is needed of the store of output. */
export interface LogPort {
  append(pieces: readonly TokenPiece[], limitOf: (key: string) => number): void;
  totals(key: string, attempt: number): { readonly nextOffset: number; readonly keptBytes: number } | undefined;
  read(key: string, attempt: number, fromOffset: number, max: number): Omit<TokenPiece, "token">[];
  remove(keys: readonly string[]): void;
}

/** Takes output, refuses that of stale leases, and tells who watches. */
export class Logs {
  readonly store: LogPort;
  /** Pieces that came with a stale token, or for a task that isn't there. */
  staleCount = 0;
  private readonly registry: Registry;
  private readonly limitBytes: number;
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(registry: Registry, store: LogPort, limitBytes: number) {
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
    this.store.append(valid, (key) => tasks.get(key)?.header.logLimitBytes || this.limitBytes);
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
