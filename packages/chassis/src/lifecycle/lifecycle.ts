import { describe } from "../errors/index.js";

/** A part of a process that starts and stops. */
export interface Component {
  /** Resolves when the part is ready to serve; rejects when it can't. */
  start(): Promise<void>;
  /** Says from now on that it is going (`/readyz` 503 `draining`, health NOT_SERVING), and serves on until `stop`. At once; safe to call twice. */
  announceStop?(): void;
  /** Stops taking work and resolves when what was taken is handed over or done. Running work may go on. */
  drain?(): Promise<void>;
  /** Resolves when nothing of the part is left. Safe to call twice, and without `start`. */
  stop(): Promise<void>;
}

/**
 * Several components as one: started in order, drained and stopped in reverse.
 *
 * States: *new* → `start` → *starting* → *started* → `drain`, `stop` → *stopped*. When one can't start, those before it are
 * stopped and `start` rejects with its error. A `stop` in the middle of a start lets the one that is starting finish, starts no
 * other, and stops them. A stopped lifecycle doesn't start again.
 */
export class Lifecycle implements Component {
  private readonly components: readonly Component[];
  private readonly touched: Component[] = [];
  private starting: Promise<void> | undefined;
  private draining: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(components: readonly Component[]) {
    this.components = components;
  }

  /** Starts all. A second call waits for the first. */
  start(): Promise<void> {
    this.starting ??= this.startAll();
    return this.starting;
  }

  /** All that were started say that they are going. */
  announceStop(): void {
    for (const component of this.touched) component.announceStop?.();
  }

  /** Drains all, in reverse order, when all have said that they are going; errors of several are thrown together when all were asked. */
  drain(): Promise<void> {
    this.announceStop();
    this.draining ??= this.backwards((component) => component.drain?.());
    return this.draining;
  }

  /** Stops all that was started, in reverse order; errors of several are thrown together when all were asked. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async startAll(): Promise<void> {
    for (const component of this.components) {
      if (this.stopping !== undefined) throw new Error("stopped before it had started");
      this.touched.push(component);
      try {
        await component.start();
      } catch (error) {
        // Its own stop runs too: a start that failed halfway may hold a port or a lock.
        await this.backwards((each) => each.stop()).catch(() => undefined);
        this.touched.length = 0;
        throw error;
      }
    }
  }

  private async stopAll(): Promise<void> {
    await this.starting?.catch(() => undefined);
    await this.backwards((component) => component.stop());
  }

  private async backwards(action: (component: Component) => Promise<void> | undefined): Promise<void> {
    const errors: unknown[] = [];
    for (const component of [...this.touched].reverse()) {
      try {
        await action(component);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1)
      throw new AggregateError(
        errors,
        `${errors.length} components failed: ${errors.map((error) => describe(error)).join("; ")}`,
      );
  }
}
