import { BackOff, type Clock } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Logger } from "@berth/chassis/log";

/** Settings of {@link Line}. */
export interface LineOptions {
  /** Who is at the other end, for the log and the readiness check. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Connects, calls `up` when the other end answers, and returns or throws when the connection is over. */
  readonly connect: (up: () => void, signal: AbortSignal) => Promise<void>;
}

const again = { firstMs: 100, mostMs: 2_000 };

/** A connection that is kept: whenever it ends it is made anew, after 100 ms at first and at most 2 s. */
export class Line {
  readonly name: string;
  private readonly options: LineOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private connected = false;
  private problem = "not connected yet";

  constructor(options: LineOptions) {
    this.options = options;
    this.name = options.name;
  }

  /** True while the other end answers. */
  get up(): boolean {
    return this.connected;
  }

  /** `ok`, or why not, in one line. */
  get check(): string {
    return this.connected ? "ok" : this.problem;
  }

  /** Begins to connect; doesn't wait for it. */
  start(): void {
    this.running ??= this.run();
  }

  /** Ends the connection. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, logger, name, connect } = this.options;
    const { signal } = this.stopping;
    const backOff = new BackOff(clock, again);
    while (!signal.aborted) {
      try {
        await connect(() => {
          this.connected = true;
          backOff.reset();
          logger.info(`connected to the ${name}`);
        }, signal);
        this.problem = "the connection ended";
      } catch (error) {
        this.problem = describe(error);
      }
      if (signal.aborted) break;
      if (this.connected) logger.warn({ problem: this.problem }, `the ${name} is away; connecting again`);
      this.connected = false;
      await backOff.wait(signal);
    }
    this.connected = false;
    this.problem = "stopped";
  }
}
