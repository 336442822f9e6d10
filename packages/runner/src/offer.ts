import type { runner } from "@berth/contracts";
import type { Handler } from "./handlers.js";
import { checkOptions, type RunnerOptions } from "./options.js";

/** Most handlers, and most characters of a handler's name: what an attachment may carry. */
const handlersMax = 256;
const handlerNameMax = 128;

/** What an attachment says of a runner's offer. */
export type Announcement = Pick<runner.AttachRunnerRequest, "pools" | "capacity" | "labels" | "handlers">;

/** What a runner offers: whose work it takes, how much of it at once, and what its program can do. It may change while it is attached. */
export class Offer {
  readonly handlers = new Map<string, Handler>();
  private readonly options: RunnerOptions;
  private pools: readonly string[];
  private capacity: number;

  constructor(options: RunnerOptions) {
    checkOptions(options);
    const { pools = [], capacity = 4 } = options;
    this.options = options;
    this.pools = pools;
    this.capacity = capacity;
  }

  /** As it is now, for the pool-manager. */
  get announcement(): Announcement {
    const { pools, capacity, handlers } = this;
    return { pools: [...pools], capacity, labels: { ...this.options.labels }, handlers: [...handlers.keys()] };
  }

  /** Adds a handler. @throws RangeError if its name is too long or taken, or there are too many. */
  add(name: string, handler: Handler): void {
    const shown = JSON.stringify(name.slice(0, handlerNameMax));
    if (name.length < 1 || name.length > handlerNameMax)
      throw new RangeError(`handler name ${shown} has ${name.length} characters: 1 to ${handlerNameMax} are needed`);
    if (this.handlers.has(name)) throw new RangeError(`handler ${shown} is registered already`);
    if (this.handlers.size >= handlersMax)
      throw new RangeError(`handler ${shown} is one too many: a runner has at most ${handlersMax}`);
    this.handlers.set(name, handler);
  }

  /** True of work for a handler that isn't here. */
  lacks({ run }: runner.Work): boolean {
    return run?.kind?.$case === "handler" && !this.handlers.has(run.kind.value.name);
  }

  /** Changes pools and capacity. @throws RunnerOptionsError naming what is wrong. */
  serve(pools: readonly string[], capacity = this.capacity): void {
    checkOptions({ ...this.options, pools, capacity });
    this.pools = pools;
    this.capacity = capacity;
  }
}
