import type { Executor, RunKind } from "./executor.js";

/** The executors of a runner together: what concerns all of them is asked of each. */
export class Executors {
  private readonly byKind: Readonly<Record<RunKind, Executor>>;

  constructor(byKind: Readonly<Record<RunKind, Executor>>) {
    this.byKind = byKind;
  }

  /** Who executes runs of a kind. */
  of(kind: RunKind): Executor {
    return this.byKind[kind];
  }

  /** Process groups that would live on without the runner, with the start time of each leader. */
  survivors(): ReadonlyMap<number, string> {
    return new Map(this.each.flatMap((executor) => [...executor.survivors()]));
  }

  /** Ends what earlier processes of this runner left; `onWait` hears what still lives. Returns how much it was. */
  async endLeftovers(onWait: (left: number) => void): Promise<number> {
    let ended = 0;
    for (const executor of this.each) ended += await executor.endLeftovers(onWait);
    return ended;
  }

  /** A session begins: nothing of earlier ones is alive. */
  beginSession(incarnation: string): void {
    for (const executor of this.each) executor.beginSession(incarnation);
  }

  /** Ends what the runs of this session have left behind, except those that are alive. */
  async sweep(): Promise<void> {
    for (const executor of this.each) await executor.sweep();
  }

  /** Lets go of their files. */
  close(): void {
    for (const executor of this.each) executor.close();
  }

  private get each(): readonly Executor[] {
    return Object.values(this.byKind);
  }
}
