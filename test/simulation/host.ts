import type { Clock, Timer } from "@berth/chassis/clock";
import type { World } from "./world.js";

const bootWallMs = Date.UTC(2026, 0, 1);

/** A machine: its interval clock runs at its own rate, its wall clock may be stepped. Both outlive its processes. */
export class Host {
  readonly world: World;
  readonly name: string;
  /** Own milliseconds in a true one. */
  readonly rate: number;
  private wallOffsetMs: number;

  constructor(world: World, name: string, rate: number, wallOffsetMs: number) {
    this.world = world;
    this.name = name;
    this.rate = rate;
    this.wallOffsetMs = wallOffsetMs;
  }

  monoMs(): number {
    return this.world.nowMs * this.rate;
  }

  wallMs(): number {
    return bootWallMs + this.monoMs() + this.wallOffsetMs;
  }

  /** An administrator or a time service sets the clock. */
  stepWall(ms: number): void {
    this.wallOffsetMs += ms;
  }
}

/** A process: it can be killed, and stopped for a while; what comes meanwhile waits. */
export class Process {
  readonly host: Host;
  readonly name: string;
  alive = true;
  paused = false;
  /** It works with promises. */
  readonly settles: boolean;
  private readonly late: { timers: (() => void)[]; messages: (() => void)[] } = { timers: [], messages: [] };

  constructor(host: Host, name: string, settles = false) {
    this.host = host;
    this.name = name;
    this.settles = settles;
  }

  /** Time as the process sees it. */
  readonly clock: Clock = {
    monoMs: () => this.host.monoMs(),
    wallMs: () => this.host.wallMs(),
    setTimer: (delayMs, callback) => this.after(delayMs, callback),
  };

  /** Calls back after so many of its own milliseconds, unless it is dead by then. */
  after(ownMs: number, run: () => void): Timer {
    let set = true;
    const once = (): void => {
      if (!set) return;
      set = false;
      run();
    };
    this.host.world.after(ownMs / this.host.rate, () => {
      if (set) this.enter(once, "timers");
    });
    return {
      cancel: () => {
        set = false;
      },
    };
  }

  /** Something reaches the process: now, after its pause, or never. */
  enter(run: () => void, kind: "timers" | "messages" = "messages"): void {
    if (!this.alive) return;
    if (this.paused) return void this.late[kind].push(run);
    if (this.settles) this.host.world.touched = true;
    run();
  }

  kill(): void {
    this.alive = false;
  }

  pause(): void {
    this.paused = true;
  }

  /** Goes on. Timers that are due may come before messages that have waited longer, as in Node. */
  resume(timersFirst: boolean): void {
    if (!this.paused) return;
    this.paused = false;
    const { timers, messages } = this.late;
    const waiting = timersFirst
      ? [...timers.splice(0), ...messages.splice(0)]
      : [...messages.splice(0), ...timers.splice(0)];
    for (const run of waiting) this.enter(run);
  }
}
