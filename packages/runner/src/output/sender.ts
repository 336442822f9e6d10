import { type Clock, delay, type Timer } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Logger } from "@berth/chassis/log";
import type { registry } from "@berth/contracts";
import { OutputBuffer, outputLimitDefault, outputLimitMax } from "../domain/output.js";

/** Where output goes: appends one batch, idempotent by (task, attempt, offset); rejects if it wasn't taken. */
export interface LogPort {
  append(batch: { readonly chunks: registry.LogChunk[]; readonly progress: registry.Progress[] }): Promise<void>;
  /** True if a rejected batch should be sent again later, false if it never will be taken. */
  isTemporary(error: unknown): boolean;
}

/** Whose output it is. */
export interface OutputOwner {
  readonly task: string;
  readonly attempt: number;
  readonly token: bigint;
}

/** Settings of a log sender; every one has a default. */
export interface LogSettings {
  /** Time that output is collected before it is sent, milliseconds; default 100. */
  readonly batchMs?: number;
  /** Pace of what follows the kept beginning, milliseconds; default 1,000. What a run overwrites in the meantime isn't sent. */
  readonly tailMs?: number;
  /** Bytes in one batch; default 512 KiB. */
  readonly batchBytes?: number;
  /** Bytes of unsent output from which all runs keep only a short tail; default 64 MiB. */
  readonly memoryBytes?: number;
  /** Longest time that a completion waits for its output to be sent, milliseconds; default 1,000. */
  readonly flushMs?: number;
}

const shortBytes = 64 * 1024;
const retryFirstMs = 100;
const retryMaxMs = 2_000;
const progressMax = 200;

/** Output of one run. */
export interface RunOutput {
  /** Bytes written so far, kept or not. */
  readonly totalBytes: number;
  /** Adds output. Never waits. */
  write(data: Buffer, stderr: boolean): void;
  /** No more will be written; returns when all is sent, or when that takes too long (it is then sent later). */
  finish(): Promise<void>;
}

interface Stream {
  readonly owner: OutputOwner;
  readonly buffer: OutputBuffer;
  finished: (() => void) | undefined;
  ended: boolean;
}

/**
 * Sends the output of all runs, one batch in flight: the registry's answer is the brake. (Unary appends instead of the stream, because
 * each is acknowledged: after a break nothing is lost and nothing doubled.) Memory is bounded, whatever runs write and however long the
 * registry is away.
 */
export class LogSender {
  private readonly settings: Required<LogSettings>;
  private readonly port: LogPort;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly streams = new Set<Stream>();
  private readonly progress = new Map<string, registry.Progress>();
  private readonly stopping = new AbortController();
  private waitingBytes = 0;
  private timer: Timer | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private tailAtMs = 0;
  private sending = false;
  private failing = false;

  constructor(port: LogPort, clock: Clock, logger: Logger, settings: LogSettings = {}) {
    this.port = port;
    this.clock = clock;
    this.logger = logger;
    this.settings = {
      batchMs: 100,
      tailMs: 1_000,
      batchBytes: 512 * 1024,
      memoryBytes: 64 * 1024 * 1024,
      flushMs: 1_000,
      ...settings,
    };
  }

  /** Opens the output of one run; `limitBytes` 0 means the default. */
  open(owner: OutputOwner, limitBytes: number): RunOutput {
    const wanted = limitBytes > 0 ? Math.min(limitBytes, outputLimitMax) : outputLimitDefault;
    const limit = this.waitingBytes > this.settings.memoryBytes / 2 ? Math.min(wanted, shortBytes) : wanted;
    const stream: Stream = { owner, buffer: new OutputBuffer(limit), finished: undefined, ended: false };
    return {
      get totalBytes() {
        return stream.buffer.totalBytes;
      },
      write: (data, stderr) => this.write(stream, data, stderr),
      finish: () => this.finish(stream),
    };
  }

  /** Sends how far a handler is; only the newest of a task is kept until it is sent. */
  report(progress: registry.Progress): void {
    const key = `${progress.task} ${progress.attempt}`;
    if (this.progress.size >= 10_000 && !this.progress.has(key)) return;
    this.progress.set(key, progress);
    this.wake(this.settings.batchMs);
  }

  /** Gives up what isn't sent yet. */
  stop(): void {
    this.stopping.abort();
    this.timer?.cancel();
    for (const stream of this.streams) stream.finished?.();
    this.streams.clear();
  }

  private write(stream: Stream, data: Buffer, stderr: boolean): void {
    const before = stream.buffer.waitingBytes;
    stream.buffer.write(data, stderr);
    if (this.waitingBytes > this.settings.memoryBytes) stream.buffer.shrinkRing(shortBytes);
    this.waitingBytes += stream.buffer.waitingBytes - before;
    this.streams.add(stream);
    this.wake(stream.buffer.headWaits ? this.settings.batchMs : this.settings.tailMs);
  }

  private async finish(stream: Stream): Promise<void> {
    stream.ended = true;
    // It is among the streams until its last batch has been answered, not only taken.
    if (!this.streams.has(stream) || this.stopping.signal.aborted) return;
    this.wake(0);
    // While the registry is away nobody's completion waits for it.
    if (this.failing) return;
    const enough = new AbortController();
    const sent = new Promise<void>((resolve) => {
      stream.finished = resolve;
    });
    await Promise.race([sent, delay(this.clock, this.settings.flushMs, enough.signal)]);
    enough.abort();
  }

  private wake(inMs: number): void {
    if (this.stopping.signal.aborted || this.sending) return;
    const atMs = this.clock.monoMs() + inMs;
    if (this.timer && atMs >= this.timerAtMs) return;
    this.timer?.cancel();
    this.timerAtMs = atMs;
    this.timer = this.clock.setTimer(inMs, () => void this.send(), { unref: true });
  }

  private async send(): Promise<void> {
    this.timer = undefined;
    this.sending = true;
    let more = true;
    while (more && !this.stopping.signal.aborted) {
      const batch = this.collect();
      more = batch.chunks.length > 0 || batch.progress.length > 0;
      if (more) await this.deliver(batch);
      this.settle();
    }
    this.sending = false;
    if (this.streams.size > 0) this.wake(this.settings.tailMs);
  }

  /** Repeats one batch until it is taken or refused for good. */
  private async deliver(batch: { chunks: registry.LogChunk[]; progress: registry.Progress[] }): Promise<void> {
    for (let waitMs = retryFirstMs; !this.stopping.signal.aborted; waitMs = Math.min(waitMs * 2, retryMaxMs)) {
      try {
        await this.port.append(batch);
        this.failing = false;
        return;
      } catch (error) {
        if (!this.port.isTemporary(error)) {
          this.logger.warn(
            {
              error: describe(error, { named: true }),
              tasks: [...new Set(batch.chunks.map(({ task }) => task))].slice(0, 10),
            },
            "the registry refused output; it is dropped",
          );
          return;
        }
        if (!this.failing)
          this.logger.warn(
            { error: describe(error, { named: true }) },
            "output can't be sent; it waits in bounded memory",
          );
        this.failing = true;
        for (const stream of this.streams) stream.finished?.();
        await delay(this.clock, waitMs, this.stopping.signal);
      }
    }
  }

  private collect(): { chunks: registry.LogChunk[]; progress: registry.Progress[] } {
    const chunks: registry.LogChunk[] = [];
    let left = this.settings.batchBytes;
    const nowMs = this.clock.monoMs();
    const tailDue = nowMs >= this.tailAtMs;
    if (tailDue) this.tailAtMs = nowMs + this.settings.tailMs;
    for (const stream of [...this.streams]) {
      if (left <= 0) break;
      if (!stream.buffer.headWaits && !stream.ended && !tailDue) continue;
      for (const piece of stream.buffer.take(left)) {
        left -= piece.data.length;
        this.waitingBytes -= piece.data.length;
        chunks.push({ ...stream.owner, offset: BigInt(piece.offset), data: piece.data, stderr: piece.stderr });
      }
      // Whoever was served goes to the end of the queue.
      this.streams.delete(stream);
      this.streams.add(stream);
    }
    const progress = [...this.progress.values()].slice(0, progressMax);
    for (const item of progress) this.progress.delete(`${item.task} ${item.attempt}`);
    return { chunks, progress };
  }

  private settle(): void {
    for (const stream of this.streams) {
      if (stream.buffer.waitingBytes > 0) continue;
      stream.finished?.();
      this.streams.delete(stream);
    }
  }
}
