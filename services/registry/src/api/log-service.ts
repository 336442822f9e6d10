import { type Clock, delay } from "@berth/chassis/clock";
import { FieldCheck, ReasonError } from "@berth/chassis/grpc";
import type { registry as wire } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import { type Attempt, isFinal, type TaskSnapshot } from "../domain/task.js";
import type { Logs } from "../engine/logs.js";
import type { Registry } from "../engine/registry.js";
import { checkKey } from "./registry-service.js";

const pieceBytesMax = 64 * 1024;
const appendBytesMax = 1024 * 1024;
/** Pieces of one message. */
const readMax = 16;
/** Wait, after an attempt has ended, for output that is still on its way. */
const stragglersMs = 1_000;

/** LogService: takes output from runners, gives it to people. */
export class LogApi implements wire.LogServiceImplementation {
  private readonly registry: Registry;
  private readonly logs: Logs;
  private readonly clock: Clock;

  constructor(registry: Registry, logs: Logs, clock: Clock) {
    this.registry = registry;
    this.logs = logs;
    this.clock = clock;
  }

  async streamLogs(requests: AsyncIterable<wire.StreamLogsRequest>): Promise<wire.StreamLogsResponse> {
    for await (const { chunks, progress } of requests) await this.take(chunks, progress);
    return {};
  }

  async appendLogs({ chunks, progress }: wire.AppendLogsRequest): Promise<wire.AppendLogsResponse> {
    const bytes = chunks.reduce((sum, { data }) => sum + data.length, 0);
    new FieldCheck()
      .that(bytes <= appendBytesMax, "chunks", `${bytes} bytes together: at most ${appendBytesMax} are taken`)
      .throwIfAny();
    await this.take(chunks, progress);
    return {};
  }

  async getLogs({ task, attempt: asked }: wire.GetLogsRequest): Promise<wire.GetLogsResponse> {
    const snapshot = await this.find(task);
    const attempt = asked || snapshot.status.attempt;
    const totals = await this.logs.store.totals(task, attempt);
    const pieces = await this.logs.store.read(task, attempt, 0, Number.MAX_SAFE_INTEGER);
    return {
      attempt,
      chunks: pieces.map((piece) => ({
        task,
        attempt,
        offset: BigInt(piece.offset),
        data: Buffer.from(piece.data),
        stderr: piece.stderr,
        token: 0n,
      })),
      cutBytes: BigInt(totals ? totals.nextOffset - totals.keptBytes : 0),
    };
  }

  async *watchLogs(
    { task, attempt: asked }: wire.WatchLogsRequest,
    context: CallContext,
  ): AsyncGenerator<wire.WatchLogsResponse> {
    let snapshot = await this.find(task);
    let attempt = asked || Math.max(1, snapshot.status.attempt);
    let offset = 0;
    let woken = new AbortController();
    const unlisten = this.logs.listen(task, () => woken.abort());
    const watcher = this.registry.feed.open(({ header }) => header.key === task, true);
    const changes = this.follow(watcher, context.signal, () => woken.abort());
    try {
      while (!context.signal.aborted) {
        woken = new AbortController();
        const pieces = await this.logs.store.read(task, attempt, offset, readMax);
        if (pieces.length > 0) {
          const last = pieces[pieces.length - 1] as (typeof pieces)[number];
          offset = last.offset + last.data.length;
          yield {
            chunks: pieces.map((piece) => ({
              task,
              attempt,
              offset: BigInt(piece.offset),
              data: Buffer.from(piece.data),
              stderr: piece.stderr,
              token: 0n,
            })),
          };
          continue;
        }
        snapshot = changes.latest ?? snapshot;
        const made = snapshot.attempts.find((one) => one.attempt === attempt);
        const over = isOver(snapshot, made, attempt);
        if (over && (offset >= (made?.outcome?.outputBytes ?? 0) || changes.waited)) {
          if (asked !== 0 || isFinal(snapshot.status.state)) {
            if (asked !== 0 || snapshot.status.attempt <= attempt) return;
          }
          if (snapshot.status.attempt > attempt) {
            attempt++;
            offset = 0;
            changes.waited = false;
            continue;
          }
        }
        const ending = over && !changes.waited;
        const either = AbortSignal.any([woken.signal, context.signal]);
        if (ending) {
          await delay(this.clock, stragglersMs, either);
          changes.waited = !either.aborted;
        } else if (!either.aborted)
          await new Promise<void>((resolve) => either.addEventListener("abort", () => resolve(), { once: true }));
      }
    } finally {
      unlisten();
      this.registry.feed.close(watcher);
    }
  }

  /** Keeps the latest state of the watched task. */
  private follow(
    watcher: ReturnType<Registry["feed"]["open"]>,
    signal: AbortSignal,
    wake: () => void,
  ): { latest: TaskSnapshot | undefined; waited: boolean } {
    const seen: { latest: TaskSnapshot | undefined; waited: boolean } = { latest: undefined, waited: false };
    void (async () => {
      while (!signal.aborted && !watcher.overflowed) {
        seen.latest = (await watcher.take(1, signal))[0] ?? seen.latest;
        wake();
      }
    })();
    return seen;
  }

  private async take(chunks: readonly wire.LogChunk[], progress: readonly wire.Progress[]): Promise<void> {
    const check = new FieldCheck();
    chunks.forEach(({ data, offset }, index) => {
      check
        .length(`chunks[${index}].data`, data, 0, pieceBytesMax)
        .range(`chunks[${index}].offset`, offset, 0n, 2n ** 50n);
    });
    check.throwIfAny();
    const pieces = chunks.map(({ task, attempt, offset, data, stderr, token }) => ({
      key: task,
      attempt,
      offset: Number(offset),
      data,
      stderr,
      token: Number(token),
    }));
    if (pieces.length > 0) await this.logs.append(pieces);
    // Several reports of one attempt in a message: only the last one is worth a commit.
    const latest = new Map(
      progress.map(({ task, attempt, fraction, message }) => [task, { key: task, attempt, fraction, message }]),
    );
    if (latest.size > 0) await this.registry.command({ kind: "progress", items: [...latest.values()] });
  }

  private async find(key: string): Promise<TaskSnapshot> {
    checkKey("task", key);
    const { tasks } = await this.registry.live({ kind: "keys", keys: [key] });
    const task = tasks[0] ?? (await this.registry.store.tasks([key]))[0];
    if (!task) throw new ReasonError("NOT_FOUND", `there is no task ${key}: tasks are named {set}/{task}`);
    return task;
  }
}

function isOver(task: TaskSnapshot, made: Attempt | undefined, attempt: number): boolean {
  return isFinal(task.status.state) || (made?.endMs ?? 0) > 0 || task.status.attempt > attempt;
}
