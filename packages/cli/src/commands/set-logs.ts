// The output of all tasks of a set, each line with the task's name in front.
import type { BerthClient } from "@berth/client";
import type { registry } from "@berth/contracts";
import { type Io, paint, printJson } from "../io.js";

/** Outputs that are followed at once; those of further tasks come when one of these has ended. */
const followedMost = 64;

/** How to show them. */
export interface SetLogsOptions {
  readonly follow: boolean;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Writes the output of each task that has run; with `follow` also what comes, until every task is final. True if there was any. */
export async function setLogs(client: BerthClient, set: string, io: Io, options: SetLogsOptions): Promise<boolean> {
  const { follow, json, signal } = options;
  let any = false;
  const show = async (task: string): Promise<void> => {
    const write = named(task.slice(task.indexOf("/") + 1), io);
    for await (const chunk of client.logs(task, { follow, signal })) {
      any = true;
      if (json) printJson(io, chunk, { oneLine: true });
      else write.take(chunk);
    }
    write.end();
  };
  if (!follow) {
    const tasks: string[] = [];
    for await (const task of client.tasks({ set }, { pageSize: 1_000 })) if (task.attempt > 0) tasks.push(task.task);
    // They are listed newest first; a story begins at its beginning.
    for (const task of tasks.reverse()) await show(task);
    return any;
  }
  const seen = new Set<string>();
  const waiting: string[] = [];
  const running = new Set<Promise<void>>();
  const next = (): void => {
    while (running.size < followedMost) {
      const task = waiting.shift();
      if (task === undefined) return;
      const one: Promise<void> = show(task).finally(() => {
        running.delete(one);
        next();
      });
      // What went wrong is thrown below, by whoever waits for all of them.
      one.catch(() => undefined);
      running.add(one);
      all.push(one);
    }
  };
  const all: Promise<void>[] = [];
  await client.wait(set, {
    signal,
    onTask(task) {
      if (task.startTime === undefined || seen.has(task.task)) return;
      seen.add(task.task);
      waiting.push(task.task);
      next();
    },
  });
  for (let at = 0; at < all.length; at += 1) await all[at];
  return any;
}

/** Writes whole lines with a name in front; the rest of a line waits for its end, or for that of the output. */
export function named(name: string, io: Io): { take(chunk: registry.LogChunk): void; end(): void } {
  const streams = [io.writeRaw, io.writeRawError].map((write) => ({ write, decoder: new TextDecoder(), rest: "" }));
  const line = (stream: (typeof streams)[number], text: string) =>
    stream.write(`${paint(io, "cyan", name)} | ${text}\n`);
  const end = () => {
    for (const stream of streams) {
      stream.rest += stream.decoder.decode();
      if (stream.rest !== "") line(stream, stream.rest);
      stream.rest = "";
    }
  };
  let attempt = 0;
  return {
    take(chunk) {
      // The last line of an attempt isn't the first of the next one's.
      if (chunk.attempt !== attempt) end();
      attempt = chunk.attempt;
      const stream = streams[chunk.stderr ? 1 : 0] as (typeof streams)[number];
      const lines = (stream.rest + stream.decoder.decode(chunk.data, { stream: true })).split("\n");
      stream.rest = lines.pop() ?? "";
      for (const text of lines) line(stream, text);
    },
    end,
  };
}
