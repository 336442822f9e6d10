/** Computing enough to be interrupted by whoever else wants the processor: several of the system's time slices. */
const probeCpuMs = 20;

/**
 * How many times longer than on a machine of its own this process takes now to compute something: 1 while nobody else wants the processors, about 10
 * beside twenty busy loops on two of them. Takes 20 ms of computing. What is promised in seconds is promised for a machine that has time for it, so
 * that a test divides by this what it measured.
 */
export function slowdown(): number {
  const began = { atMs: performance.now(), cpu: process.cpuUsage() };
  let cpuMs = 0;
  while (cpuMs < probeCpuMs) {
    const { user, system } = process.cpuUsage(began.cpu);
    cpuMs = (user + system) / 1_000;
  }
  return Math.max(1, (performance.now() - began.atMs) / cpuMs);
}

/** Measures time as it would be on a machine of our own: each piece divided by the slowdown of its moment. */
export class Stopwatch {
  private lastMs = performance.now();
  private sumMs = 0;

  /** Milliseconds since the start, of a machine of our own. Ask often: the slowdown is that of the moments at which it is asked. */
  lap(): number {
    const passedMs = performance.now() - this.lastMs;
    this.lastMs += passedMs;
    this.sumMs += passedMs / slowdown();
    return this.sumMs;
  }
}
