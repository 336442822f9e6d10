import { type Clock, delay } from "@berth/chassis/clock";
import { FieldCheck, ReasonError } from "@berth/chassis/grpc";
import type { registry as wire } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import { type Attempt, isFinal, type TaskSnapshot } from "../domain/task.js";
import type { Logs, TokenPiece } from "../engine/logs.js";
import type { Registry } from "../engine/registry.js";
import { checkKey } from "./registry-service.js";

const pieceBytesMax = 64 * 1024;
const appendBytesMax = 1024 * 1024;
/** Pieces of one message: 256 KB at most, which is what a watch that isn't read may hold. */
const readMax = 4;
/** Bytes of one answer of GetLogs: small enough for a client of any language with its own default bound of 4 MiB. */
const answerBytes = { most: 2 * 1024 * 1024, usual: 1024 * 1024 };
/** Wait, after an attempt has ended, for output that is still on its way. */
const stragglersMs = 1_000;

/** LogService: takes output from runners, gives it to people. */
export class LogApi implements wire.LogServiceImplementation {
  private readonly registry: Registry;
  private readonly logs: Logs;
  private readonly clock: Clock;
  private readonly note: (pieces: number) => void;

  constructor(registry: Registry, logs: Logs, clock: Clock, note: (pieces: number) => void) {
    this.registry = registry;
    this.logs = logs;
    this.clock = clock;
    this.note = note;
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

  async getLogs({ task, attempt: asked, fromOffset, maxBytes }: wire.GetLogsRequest): Promise<wire.GetLogsResponse> {
    checkPlace(asked, fromOffset).range("max_bytes", maxBytes, 0, Number.MAX_SAFE_INTEGER).throwIfAny();
    const snapshot = await this.find(task);
    const attempt = asked || snapshot.status.attempt;
    if (attempt > snapshot.status.attempt)
      throw new ReasonError(
        "NOT_FOUND",
        `${task} has no attempt ${attempt}: ${snapshot.status.attempt} were made so far`,
      );
    const totals = await this.logs.store.totals(task, attempt);
    const max = Math.min(answerBytes.most, Number(maxBytes) || answerBytes.usual);
    const chunks: wire.LogChunk[] = [];
    let nextOffset = 0;
    for (let [offset, bytes] = [Number(fromOffset), 0]; nextOffset === 0; ) {
      const pieces = await this.logs.store.read(task, attempt, offset, readMax);
      for (const piece of pieces) {
        if (chunks.length > 0 && bytes + piece.data.length > max) {
          nextOffset = piece.offset;
          break;
        }
        chunks.push(chunkOf(piece));
        bytes += piece.data.length;
        offset = piece.offset + piece.data.length;
      }
      if (pieces.length < readMax) break;
    }
    return {
      attempt,
      chunks,
      cutBytes: BigInt(totals ? totals.nextOffset - totals.keptBytes : 0),
      nextOffset: BigInt(nextOffset),
    };
  }

  async *watchLogs(
    { task, attempt: asked, fromOffset }: wire.WatchLogsRequest,
    context: CallContext,
  ): AsyncGenerator<wire.WatchLogsResponse> {
    checkPlace(asked, fromOffset)
      .that(asked !== 0 || fromOffset === 0n, "from_offset", "needs the attempt that it is an offset of")
      .throwIfAny();
    let snapshot = await this.find(task);
    let attempt = asked || Math.max(1, snapshot.status.attempt);
    let offset = Number(fromOffset);
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
          yield { chunks: pieces.map(chunkOf) };
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
    if (chunks.length > 0) this.note(chunks.length);
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

/** Checks where to read. */
function checkPlace(attempt: number, offset: bigint): FieldCheck {
  return new FieldCheck()
    .range("attempt", attempt, 0, 1_000_000)
    .range("from_offset", offset, 0, Number.MAX_SAFE_INTEGER);
}

function chunkOf({ key, attempt, offset, data, stderr }: Omit<TokenPiece, "token">): wire.LogChunk {
  return { task: key, attempt, offset: BigInt(offset), data: Buffer.from(data), stderr, token: 0n };
}

function isOver(task: TaskSnapshot, made: Attempt | undefined, attempt: number): boolean {
  return isFinal(task.status.state) || (made?.endMs ?? 0) > 0 || task.status.attempt > attempt;
}
