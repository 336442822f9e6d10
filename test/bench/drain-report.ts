import { parseArgs } from "node:util";
import { type Drained, drain } from "./drain.js";
import type { Outside } from "./system.js";
import type { Shape } from "./workload.js";

/** `drain`: runs one and prints it. Exits 1 if a task didn't run exactly once and succeed, or a limit didn't hold. */
export async function benchDrain(args: readonly string[]): Promise<void> {
  const number = (fallback: number) => ({ type: "string", default: String(fallback) }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      cluster: { type: "boolean", default: false },
      tasks: number(100_000),
      slots: number(100),
      limits: number(1),
      tenants: number(1),
    },
  });
  const shape = {
    tasks: Number(values.tasks),
    slots: Number(values.slots),
    limits: Number(values.limits),
    tenants: Number(values.tenants),
  };
  const drained = await drain(shape, values.cluster ? "cluster" : "standalone");
  for (const line of linesOf(shape, drained)) console.log(line);
  if (drained.faults.length > 0) process.exitCode = 1;
}

function* linesOf(shape: Shape, drained: Drained): Generator<string> {
  const { tasks, slots, limits, tenants } = shape;
  const perTask = (amount: number): number => amount / tasks;
  const rate = (ms: number): number => Math.round((tasks / ms) * 1_000);
  yield `drain: ${tasks} tasks, ${slots} slots; limits on: global, pool, runner, ${tenants} tenant(s), ${limits} named`;
  yield drained.faults.length === 0
    ? "  exact: every task ran once by the workload's record and SUCCEEDED; every limit held"
    : `  NOT EXACT: ${drained.faults.slice(0, 10).join("; ")}`;
  const { looks, mostCounted, mostRunning } = drained.limits;
  yield `  limit global: at most ${mostCounted} of ${slots} leases in ${looks} looks, at most ${mostRunning} runs at once`;
  yield `  submit ${rate(drained.submitMs)} tasks/s`;
  const all = [...drained.cpu.values()].reduce((sum, micros) => sum + micros, 0);
  yield `  drain ${rate(drained.drainMs)} tasks/s; processor ${perTask(all).toFixed(0)} us a task over all processes`;
  for (const [part, micros] of drained.cpu)
    yield `    ${part.padEnd(12)} ${perTask(micros).toFixed(0).padStart(6)} us a task, ${Math.round((drained.memory.get(part) ?? 0) / 2 ** 20)} MiB`;
  yield "  items per message:";
  for (const { hop, items, messages } of drained.hops)
    yield `    ${hop.padEnd(12)} ${(items / messages).toFixed(1).padStart(8)} (${items} items, ${messages} messages)`;
  const { outcomes, fsyncs } = drained.spool;
  yield `    ${"spool fsync".padEnd(12)} ${(outcomes / fsyncs).toFixed(1).padStart(8)} (${outcomes} outcomes, ${fsyncs} fsyncs)`;
  const messages = drained.hops.reduce((sum, hop) => sum + hop.messages, 0);
  yield `    all hops together: ${perTask(messages).toFixed(3)} messages a task`;
  yield "  per commit:";
  for (const [phase, engines] of [
    ["submit", drained.submitCommits],
    ["drain", drained.drainCommits],
  ] as const) {
    for (const { service, commits, changes, rows } of engines) {
      if (commits === 0) continue;
      yield `    ${phase} ${service}: ${(changes / commits).toFixed(1)} changes (${commits} commits); rows a task ${perTask(rows).toFixed(3)}, and at most ${perTask(commits).toFixed(3)} of the journal`;
    }
  }
  if (drained.outside) yield* outsideLines(drained.outside, tasks);
}

function* outsideLines({ rows, busMessages }: Outside, tasks: number): Generator<string> {
  const written = [...rows.values()].reduce((sum, count) => sum + count, 0);
  yield `  rows written a task, as PostgreSQL counts them: ${(written / tasks).toFixed(3)}`;
  for (const [table, count] of [...rows].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a))
    yield `    ${table.padEnd(32)} ${(count / tasks).toFixed(4)}`;
  yield `  messages on NATS a task, as its stream counts them: ${(busMessages / tasks).toFixed(4)}`;
}
