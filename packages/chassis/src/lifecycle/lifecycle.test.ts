import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { type Component, type Fail, Lifecycle, runProcess } from "./index.js";

function recorder(): { seen: string[]; part(name: string, overrides?: Partial<Component>): Component } {
  const seen: string[] = [];
  const note = (line: string) => async (): Promise<void> => void seen.push(line);
  return {
    seen,
    part: (name, overrides) => ({
      start: note(`start ${name}`),
      drain: note(`drain ${name}`),
      stop: note(`stop ${name}`),
      ...overrides,
    }),
  };
}

const refuse = async (): Promise<void> => {
  throw new Error("no");
};

describe("Lifecycle", () => {
  it("starts in order, drains and stops in reverse, once", async () => {
    const { seen, part } = recorder();
    const lifecycle = new Lifecycle([part("a"), part("b")]);
    await Promise.all([lifecycle.start(), lifecycle.start()]);
    await lifecycle.drain();
    await lifecycle.stop();
    await lifecycle.stop();
    expect(seen).toEqual(["start a", "start b", "drain b", "drain a", "stop b", "stop a"]);
  });

  it("lets all say that they are going before the first of them drains, which may take long", async () => {
    const { seen, part } = recorder();
    const announcing = (name: string) => ({ ...part(name), announceStop: () => void seen.push(`announce ${name}`) });
    const lifecycle = new Lifecycle([announcing("a"), announcing("b")]);
    await lifecycle.start();
    await lifecycle.drain();
    expect(seen.slice(2)).toEqual(["announce a", "announce b", "drain b", "drain a"]);
  });

  it("stops what was started when one can't start, that one included", async () => {
    const { seen, part } = recorder();
    const lifecycle = new Lifecycle([part("a"), part("b", { start: refuse }), part("c")]);
    await expect(lifecycle.start()).rejects.toThrow("no");
    await lifecycle.stop();
    expect(seen).toEqual(["start a", "stop b", "stop a"]);
  });

  it("stops nothing when nothing was started", async () => {
    const { seen, part } = recorder();
    await new Lifecycle([part("a")]).stop();
    expect(seen).toEqual([]);
  });

  it("stops the others when one can't be stopped, then says so", async () => {
    const { seen, part } = recorder();
    const lifecycle = new Lifecycle([part("a"), part("b", { stop: refuse }), part("c", { stop: refuse })]);
    await lifecycle.start();
    await expect(lifecycle.stop()).rejects.toThrow("2 components failed");
    expect(seen.at(-1)).toBe("stop a");
  });

  it("starts no more components once it is told to stop", async () => {
    const { seen, part } = recorder();
    const gate = new Gate<void>();
    const lifecycle = new Lifecycle([part("a", { start: () => gate.promise }), part("b")]);
    const started = lifecycle.start();
    const stopped = lifecycle.stop();
    gate.resolve();
    await expect(started).rejects.toThrow("stopped before it had started");
    await stopped;
    expect(seen).toEqual(["stop a"]);
  });
});

/** A promise that a test settles by hand. */
class Gate<T> {
  resolve: (value: T) => void = () => {};
  readonly promise = new Promise<T>((resolve) => {
    this.resolve = resolve;
  });
}

class Host extends EventEmitter {
  readonly exited = new Gate<number>();
  codes: number[] = [];
  exit(code: number): void {
    this.codes.push(code);
    this.exited.resolve(code);
  }
}

function run(
  components: readonly Component[] | ((fail: Fail) => readonly Component[]),
  clock = new ManualClock(),
): Host {
  const host = new Host();
  void runProcess({ name: "test", logger: silentLogger, components, graceMs: 1_000, clock, host });
  return host;
}

describe("runProcess", () => {
  it("drains, stops and exits with 0 on SIGTERM", async () => {
    const { seen, part } = recorder();
    const host = run([part("a")]);
    host.emit("SIGTERM");
    expect(await host.exited.promise).toBe(0);
    expect(seen).toEqual(["start a", "drain a", "stop a"]);
  });

  it("exits with 130 at once on a second signal", async () => {
    const { part } = recorder();
    const host = run([part("a", { drain: () => new Promise(() => undefined) })]);
    host.emit("SIGTERM");
    host.emit("SIGINT");
    expect(host.codes).toEqual([130]);
  });

  it("exits with 1 when stopping takes longer than the grace", async () => {
    const { part } = recorder();
    const clock = new ManualClock();
    const host = run([part("a", { drain: () => new Promise(() => undefined) })], clock);
    host.emit("SIGTERM");
    await clock.advance(999);
    expect(host.codes).toEqual([]);
    await clock.advance(1);
    expect(host.codes).toEqual([1]);
  });

  it("exits with 1 when a component can't start, when one fails later, and on an error that nobody caught", async () => {
    const { part } = recorder();
    expect(await run([part("a", { start: refuse })]).exited.promise).toBe(1);

    let failLater: Fail | undefined;
    const failing = run((fail) => {
      failLater = fail;
      return [part("a")];
    });
    failLater?.(new Error("the epoch moved"));
    expect(failing.codes).toEqual([1]);

    const uncaught = run([part("a")]);
    uncaught.emit("unhandledRejection", new Error("lost"));
    expect(uncaught.codes).toEqual([1]);
  });

  it("exits with 1 when stopping fails, and stops although draining failed", async () => {
    const { seen, part } = recorder();
    const host = run([part("a", { drain: refuse }), part("b", { stop: refuse })]);
    host.emit("SIGTERM");
    expect(await host.exited.promise).toBe(1);
    expect(seen).toContain("stop a");
  });
});
