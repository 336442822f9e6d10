import { type FileHandle, open, readdir, readFile, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, delay } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import { makeFolder } from "@berth/chassis/folder";
import type { Logger } from "@berth/chassis/log";
import type { runner } from "@berth/contracts";
import { decodeRecord, encodeRecord } from "./record.js";

/** Settings of a spool. */
export interface SpoolOptions {
  /** Folder of the segments; created if it isn't there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Least free space of the disk for new runs, bytes; default 16 MiB. */
  readonly reserveBytes?: number;
  /** Size from which a segment isn't written on, bytes; default 4 MiB. */
  readonly segmentBytes?: number;
  /** Called with every group of outcomes, once it is fsynced (or, on a failing disk, can't be): they may be sent. */
  onGroup(completions: readonly runner.Completion[], durable: boolean): void;
  /** Called when the disk begins or ceases to refuse or to run short; `problem` is undefined when all is well. */
  onDisk?(problem: string | undefined): void;
}

interface Segment {
  readonly path: string;
  /** Outcomes in it that aren't confirmed. */
  readonly open: Set<string>;
}

const retryMs = 1_000;
const lookAtDiskMs = 1_000;

/**
 * Outcomes on their way to the pool-manager. What comes while one write is being fsynced goes into the next: one write and one fsync
 * for all of it. On a disk that refuses, outcomes stay in memory, are handed on all the same, and are written as soon as it can be.
 */
export class Spool {
  private readonly options: Required<Pick<SpoolOptions, "reserveBytes" | "segmentBytes">> & SpoolOptions;
  private readonly segments: Segment[] = [];
  /** In which segment an outcome lies. */
  private readonly places = new Map<string, Segment>();
  private current: { file: FileHandle; segment: Segment; bytes: number } | undefined;
  private nextNumber = 1;
  private waiting: runner.Completion[] = [];
  /** Outcomes that were handed on without having been fsynced. */
  private unsafe: runner.Completion[] = [];
  /** Those of them that are being written and aren't confirmed yet. */
  private rewriting: Set<string> | undefined;
  private confirmed: string[] = [];
  private writing: Promise<void> | undefined;
  private problem: string | undefined;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private closed = false;
  private readonly deletions = new Set<Promise<void>>();
  private written = { groups: 0, outcomes: 0 };

  constructor(options: SpoolOptions) {
    this.options = {
      ...options,
      reserveBytes: options.reserveBytes ?? 16 * 1024 * 1024,
      segmentBytes: options.segmentBytes ?? 4 * 1024 * 1024,
    };
  }

  /** Reads the segments of earlier processes; returns the outcomes that weren't confirmed, oldest first. */
  async open(): Promise<runner.Completion[]> {
    makeFolder(this.options.folder);
    const outcomes = new Map<string, runner.Completion>();
    const names = (await readdir(this.options.folder)).filter((name) => /^\d{12}\.jsonl$/.test(name)).sort();
    for (const name of names) await this.readSegment(name, outcomes);
    for (const segment of [...this.segments]) await this.dropIfDone(segment);
    await this.look();
    return [...outcomes.values()];
  }

  /** What keeps new runs from being started: a refusing or a nearly full disk; undefined if nothing does. */
  get refusal(): string | undefined {
    return this.problem;
  }

  /** Groups written and outcomes in them, since the start. */
  get figures(): { readonly groups: number; readonly outcomes: number } {
    return this.written;
  }

  /** Adds an outcome; `onGroup` hands it on once it is fsynced. */
  add(completion: runner.Completion): void {
    this.waiting.push(completion);
    this.kick();
  }

  /** The pool-manager has confirmed outcomes: they may be forgotten. */
  confirm(leases: readonly string[]): void {
    for (const lease of leases) {
      this.rewriting?.delete(lease);
      const segment = this.places.get(lease);
      if (!segment) continue;
      this.places.delete(lease);
      segment.open.delete(lease);
      this.confirmed.push(lease);
      if (segment.open.size === 0 && segment !== this.current?.segment) void this.dropIfDone(segment);
    }
    if (this.unsafe.length > 0) {
      const done = new Set(leases);
      this.unsafe = this.unsafe.filter((completion) => !done.has(completion.lease));
    }
  }

  /** Looks at the free space, at most once a second; call it before work is taken. */
  checkDisk(): void {
    if (this.options.clock.monoMs() - this.lookedAtMs >= lookAtDiskMs) void this.look();
  }

  /** Waits until everything added has been handed on. */
  async idle(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
  }

  /** Writes what is waiting and closes. */
  async close(): Promise<void> {
    await this.idle();
    this.closed = true;
    const { current } = this;
    this.current = undefined;
    await current?.file.close();
    if (current) await this.dropIfDone(current.segment);
    await Promise.all(this.deletions);
  }

  private kick(): void {
    if (this.writing || this.closed) return;
    this.writing = this.writeAll().finally(() => this.wrote());
  }

  private wrote(): void {
    this.writing = undefined;
    if (this.waiting.length > 0) this.kick();
  }

  private async writeAll(): Promise<void> {
    // The rest of this turn of the event loop may bring more.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      const durable = await this.writeGroup(group);
      this.options.onGroup(group, durable);
    }
  }

  private async writeGroup(group: readonly runner.Completion[]): Promise<boolean> {
    const confirmed = this.confirmed;
    this.confirmed = [];
    let text = confirmed.length > 0 ? encodeRecord({ kind: "confirmed", leases: confirmed }) : "";
    for (const completion of group) text += encodeRecord({ kind: "outcome", completion });
    try {
      const current = await this.segment();
      const bytes = Buffer.from(text);
      await writeFully(current.file, bytes);
      await current.file.datasync();
      current.bytes += bytes.length;
      for (const { lease } of group) {
        current.segment.open.add(lease);
        this.places.set(lease, current.segment);
      }
      this.written = { groups: this.written.groups + 1, outcomes: this.written.outcomes + group.length };
      return true;
    } catch (error) {
      this.keepInMemory(group, error);
      return false;
    }
  }

  /** After a failed write or fsync nobody knows what the segment holds: it is left behind, and a new one begun. */
  private keepInMemory(group: readonly runner.Completion[], error: unknown): void {
    const wasWell = this.unsafe.length === 0;
    this.unsafe.push(...group);
    void this.current?.file.close().catch(() => {});
    this.current = undefined;
    this.setProblem(`the spool can't be written (${describe(error)}); outcomes are kept in memory and sent from there`);
    if (wasWell) void this.retry();
  }

  private async retry(): Promise<void> {
    while (!this.closed && this.unsafe.length > 0) {
      await delay(this.options.clock, retryMs);
      await this.idle();
      if (this.closed) return;
      // One write at a time: what is added meanwhile waits for this one.
      const again = this.writeUnsafe();
      this.writing = again.then(() => this.wrote());
      if (!(await again)) return;
    }
    await this.look();
  }

  private async writeUnsafe(): Promise<boolean> {
    const group = this.unsafe;
    this.unsafe = [];
    this.rewriting = new Set(group.map(({ lease }) => lease));
    const durable = group.length === 0 || (await this.writeGroup(group));
    // What was confirmed during the write had no place yet.
    const settled = group.flatMap(({ lease }) => (this.rewriting?.has(lease) ? [] : [lease]));
    this.rewriting = undefined;
    if (settled.length > 0) this.confirm(settled);
    return durable;
  }

  private async segment(): Promise<{ file: FileHandle; segment: Segment; bytes: number }> {
    if (this.current && this.current.bytes < this.options.segmentBytes) return this.current;
    const full = this.current;
    this.current = undefined;
    await full?.file.close();
    if (full) await this.dropIfDone(full.segment);
    const path = join(this.options.folder, `${String(this.nextNumber++).padStart(12, "0")}.jsonl`);
    const file = await open(path, "ax", 0o600);
    const segment: Segment = { path, open: new Set() };
    this.segments.push(segment);
    this.current = { file, segment, bytes: 0 };
    await syncFolder(this.options.folder);
    return this.current;
  }

  private async dropIfDone(segment: Segment): Promise<void> {
    if (segment.open.size > 0 || segment === this.current?.segment || !this.segments.includes(segment)) return;
    this.segments.splice(this.segments.indexOf(segment), 1);
    const deletion = unlink(segment.path).catch((error) => {
      this.options.logger.warn(
        { error: describe(error), segment: segment.path },
        "a spool segment couldn't be deleted",
      );
    });
    this.deletions.add(deletion);
    await deletion;
    this.deletions.delete(deletion);
  }

  private async readSegment(name: string, outcomes: Map<string, runner.Completion>): Promise<void> {
    const path = join(this.options.folder, name);
    this.nextNumber = Number(name.slice(0, 12)) + 1;
    const segment: Segment = { path, open: new Set() };
    this.segments.push(segment);
    const lines = (await readFile(path, "utf8")).split("\n");
    for (const [index, line] of lines.entries()) {
      if (line === "" && index === lines.length - 1) continue;
      const record = index === lines.length - 1 ? undefined : decodeRecord(line);
      if (!record) {
        this.options.logger.error(
          { segment: path, line: index + 1, bytes: line.length },
          "a record of the spool is torn or damaged and was dropped; its lease will end as lost, never as success",
        );
      } else if (record.kind === "outcome") {
        outcomes.set(record.completion.lease, record.completion);
        segment.open.add(record.completion.lease);
        this.places.set(record.completion.lease, segment);
      } else {
        for (const lease of record.leases) {
          outcomes.delete(lease);
          this.places.get(lease)?.open.delete(lease);
          this.places.delete(lease);
        }
      }
    }
  }

  private async look(): Promise<void> {
    this.lookedAtMs = this.options.clock.monoMs();
    const { bavail, bsize } = await statfs(this.options.folder).catch(() => ({
      bavail: Number.POSITIVE_INFINITY,
      bsize: 1,
    }));
    const free = bavail * bsize;
    if (this.unsafe.length > 0) return;
    if (free < this.options.reserveBytes) {
      this.setProblem(
        `the data folder's disk has ${free} bytes free, less than the reserve of ${this.options.reserveBytes}: free some space`,
      );
    } else this.setProblem(undefined);
  }

  private setProblem(problem: string | undefined): void {
    const changed = (problem === undefined) !== (this.problem === undefined);
    this.problem = problem;
    if (changed) this.options.onDisk?.(problem);
  }
}

async function writeFully(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
}

/** The name of a new file is durable only once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
