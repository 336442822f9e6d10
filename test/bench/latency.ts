import { parseArgs } from "node:util";
import { finalStates } from "@berth/client";
import { percentile, spread } from "./percentile.js";
import { startSystem } from "./system.js";

/**
 * `latency`: one task at a time through an idle system, with the SDK: from before the submission to the handler's first line, and to the
 * moment when a watch tells of the end. Beside it, in the same run, the smallest question that waits for a commit.
 */
export async function benchLatency(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { tasks: { type: "string", default: "300" } } });
  const count = Number(values.tasks);
  const warmUp = 50;
  const begun = new Map<string, number>();
  const ended = new Map<string, (atMs: number) => void>();
  const system = await startSystem(4, {}, async ({ task }) => void begun.set(task, performance.now()));
  const { client } = system.berth;
  const watching = new AbortController();
  try {
    const { set } = await client.submit([{ id: "first", handler: "noop", pool: "bench" }]);
    const watched = (async () => {
      for await (const { task, state } of client.watch(set, { signal: watching.signal }))
        if (finalStates.has(state)) ended.get(task)?.(performance.now());
    })();
    const [toQuestion, toTaken, toStart, toEnd]: [number[], number[], number[], number[]] = [[], [], [], []];
    for (let index = 0; index < count + warmUp; index++) {
      const askedMs = performance.now();
      await client.registry.getTaskSet({ set });
      const beganMs = performance.now();
      const key = `${set}/${index}`;
      const end = new Promise<number>((resolve) => ended.set(key, resolve));
      await client.submit([{ id: String(index), handler: "noop", pool: "bench" }], { set });
      const takenMs = performance.now();
      const endMs = await end;
      ended.delete(key);
      if (index < warmUp) continue;
      toQuestion.push(beganMs - askedMs);
      toTaken.push(takenMs - beganMs);
      toStart.push((begun.get(key) ?? Number.NaN) - beganMs);
      toEnd.push(endMs - beganMs);
    }
    watching.abort();
    await watched;
    const ratio = (numbers: readonly number[]) => (percentile(numbers, 0.5) / percentile(toQuestion, 0.5)).toFixed(1);
    console.log(`latency: ${count} tasks, one at a time, after ${warmUp} to warm up`);
    console.log(`  a question that waits for a commit: ${spread(toQuestion)}`);
    console.log(`  submit to acknowledged: ${spread(toTaken)} (${ratio(toTaken)} questions)`);
    console.log(`  submit to started:      ${spread(toStart)} (${ratio(toStart)} questions)`);
    console.log(`  submit to told done:    ${spread(toEnd)} (${ratio(toEnd)} questions)`);
  } finally {
    watching.abort();
    await system.stop();
  }
}
