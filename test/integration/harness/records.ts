import { existsSync, readFileSync } from "node:fs";

/** One run of a workload, as it recorded itself. Times in nanoseconds of the monotonic clock. */
export interface Run {
  readonly task: string;
  readonly attempt: number;
  readonly pool: string;
  readonly pid: number;
  readonly startNs: bigint;
  /** Undefined if it was killed before it could say so. */
  readonly endNs: bigint | undefined;
}

interface Line {
  readonly kind: "start" | "end";
  readonly task: string;
  readonly attempt: number;
  readonly pool: string;
  readonly pid: number;
  readonly atNs: string;
}

/** Reads what workloads recorded. */
export function readRuns(file: string): Run[] {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const lines = text.split("\n").filter((line) => line !== "");
  const runs = new Map<string, Run>();
  for (const line of lines.map((each) => JSON.parse(each) as Line)) {
    const key = `${line.task}#${line.attempt}#${line.pid}`;
    const known = runs.get(key);
    if (line.kind === "start") {
      const { task, attempt, pool, pid } = line;
      runs.set(key, { task, attempt, pool, pid, startNs: BigInt(line.atNs), endNs: undefined });
    } else if (known) runs.set(key, { ...known, endNs: BigInt(line.atNs) });
  }
  return [...runs.values()];
}

/** Most runs that overlapped at any moment. A run without an end is taken to end at `killedNs`, or when that says. */
export function mostOverlapping(runs: readonly Run[], killedNs?: bigint | ((run: Run) => bigint)): number {
  const edges = runs.flatMap((run) => {
    const endNs = run.endNs ?? (typeof killedNs === "function" ? killedNs(run) : killedNs);
    if (endNs === undefined) throw new Error(`${run.task} attempt ${run.attempt} has no end`);
    return [
      { atNs: run.startNs, step: 1 },
      { atNs: endNs, step: -1 },
    ];
  });
  // An end at the same nanosecond as a start comes first: they don't overlap.
  edges.sort((left, right) => (left.atNs === right.atNs ? left.step - right.step : left.atNs < right.atNs ? -1 : 1));
  let [now, most] = [0, 0];
  for (const { step } of edges) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}

/** Nanoseconds of the clock that the workloads use. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}
