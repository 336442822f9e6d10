import { CatalogueIndex } from "./catalogue.js";
import { DueTimes } from "./due.js";
import { appendEvents, putAttempt } from "./history.js";
import { Leavers } from "./leavers.js";
import type { RequestRecord, SetLimit, SetRecord } from "./submission.js";
import {
  type Attempt,
  isFinal,
  type TaskEvent,
  type TaskHeader,
  type TaskSnapshot,
  type TaskState,
  type TaskStatus,
  taskKey,
} from "./task.js";

/** A task in memory. The status is replaced, never altered; attempts and events are. */
export class LiveTask implements TaskSnapshot {
  readonly header: TaskHeader;
  status: TaskStatus;
  readonly attempts: Attempt[];
  readonly events: TaskEvent[];
  /** Ids of needed tasks that aren't final. */
  readonly waits = new Set<string>();
  /** True once its set counts it among its live tasks. */
  counted = false;

  constructor(task: TaskSnapshot) {
    this.header = task.header;
    this.status = task.status;
    this.attempts = [...task.attempts];
    this.events = [...task.events];
  }

  /** The attempt of that number. */
  attempt(number: number): Attempt | undefined {
    return this.attempts.findLast((attempt) => attempt.attempt === number);
  }
}

/** A set with live tasks. */
export interface LiveSet {
  readonly set: string;
  readonly displayName: string;
  readonly createMs: number;
  /** Limits of its own. */
  limits: readonly SetLimit[];
  /** Tasks by state, final ones included. An index: derived at load, moved with every change of state. */
  readonly counts: Map<TaskState, number>;
  live: number;
}

/** Most request ids in memory; older ones are found in rows. */
const requestsMax = 10_000;

/** Everything that is live, and the indexes over it. */
export class Memory {
  readonly tasks = new Map<string, LiveTask>();
  readonly sets = new Map<string, LiveSet>();
  /** Those of them that have limits of their own. */
  readonly declaring = new Set<string>();
  /** Keys of live tasks that wait for a task. */
  readonly dependents = new Map<string, Set<string>>();
  readonly due = new DueTimes();
  /** Keys of tasks whose attempt is to be forbidden and isn't yet answered to the end. */
  readonly forbids = new Set<string>();
  readonly requests = new Map<string, RequestRecord>();
  readonly leavers = new Leavers();
  /** Tasks that are final and leave as soon as their row is written, by key: none outlives the commit under way. */
  readonly leaving = new Map<string, LiveTask>();
  /** Encoded specifications of tasks whose first row isn't written yet. */
  readonly fresh = new Map<string, Uint8Array>();
  /** Tasks whose row must be written with this commit although they live. */
  readonly entering = new Set<string>();
  catalogue: CatalogueIndex | undefined;
  revision = 0;
  cursor = 0;
  /** True until the indexes are built. */
  private loading = true;

  /** Takes a task in. While loading, the indexes wait for `finishLoading`. */
  add(task: LiveTask): void {
    this.tasks.set(task.header.key, task);
    this.revision = Math.max(this.revision, task.status.revision);
    if (!this.loading) this.index(task);
  }

  /** Builds the indexes: which needs are unfinished follows from which tasks live. */
  finishLoading(): void {
    this.loading = false;
    for (const task of this.tasks.values()) this.index(task);
  }

  /** Takes a set in with the counts of its final tasks. */
  addSet(record: SetRecord): LiveSet {
    const counts = new Map(Object.entries(record.counts) as [TaskState, number][]);
    const set: LiveSet = {
      set: record.set,
      displayName: record.displayName,
      createMs: record.createMs,
      limits: record.limits ?? [],
      counts,
      live: 0,
    };
    this.sets.set(record.set, set);
    if (set.limits.length > 0) this.declaring.add(record.set);
    return set;
  }

  /** Gives a live set the limits that it has from now on. */
  declare(set: LiveSet, limits: readonly SetLimit[]): void {
    set.limits = limits;
    this.declaring.add(set.set);
  }

  /** Puts a new status, attempt and history entries in place and moves the indexes. */
  change(task: LiveTask, status: TaskStatus, attempt: Attempt | null, events: readonly TaskEvent[]): void {
    const from = task.status.state;
    task.status = status;
    if (attempt) putAttempt(task.attempts, attempt);
    appendEvents(task.events, events);
    this.revision = Math.max(this.revision, status.revision);
    if (isFinal(status.state)) this.leaving.set(task.header.key, task);
    else this.leaving.delete(task.header.key);
    if (this.loading) return;
    if (from !== status.state) {
      const set = this.sets.get(task.header.set);
      if (set) move(set, from, status.state);
    }
    this.follow(task);
  }

  /** Lets a final task go after its row was written. */
  drop(key: string): void {
    const task = this.tasks.get(key);
    if (!task || !isFinal(task.status.state)) return;
    this.tasks.delete(key);
    this.dependents.delete(key);
    this.leaving.delete(key);
    this.leavers.add(key, task.header.set, task.status.state);
    const set = this.sets.get(task.header.set);
    if (set && task.counted && --set.live === 0) {
      this.sets.delete(task.header.set);
      this.declaring.delete(task.header.set);
    }
  }

  /** Remembers a request id. */
  addRequest(record: RequestRecord): void {
    this.requests.set(record.requestId, record);
    if (this.requests.size > requestsMax) this.requests.delete(this.requests.keys().next().value as string);
  }

  /** Takes a catalogue. */
  setCatalogue(catalogue: CatalogueIndex["catalogue"]): void {
    this.catalogue = new CatalogueIndex(catalogue);
  }

  private index(task: LiveTask): void {
    const entry = this.sets.get(task.header.set);
    if (entry) {
      entry.live++;
      task.counted = true;
      entry.counts.set(task.status.state, (entry.counts.get(task.status.state) ?? 0) + 1);
    }
    this.link(task);
    this.follow(task);
  }

  /** Lets a final task live again: its set, which counts it by its final state, now also counts it as live. */
  revive(task: LiveTask): void {
    const entry = this.sets.get(task.header.set);
    if (entry && !task.counted) {
      entry.live++;
      task.counted = true;
    }
  }

  /** Finds out which needs are unfinished, and enters the task as their dependent. */
  link(task: LiveTask): void {
    const { set, key, needs } = task.header;
    task.waits.clear();
    for (const need of needs) {
      const needKey = taskKey(set, need);
      const needed = this.tasks.get(needKey);
      if (!needed || isFinal(needed.status.state)) continue;
      task.waits.add(need);
      const list = this.dependents.get(needKey);
      if (list) list.add(key);
      else this.dependents.set(needKey, new Set([key]));
    }
  }

  /** Keeps the moments and the list of attempts to forbid. */
  private follow({ header: { key, startTimeoutMs }, status }: LiveTask): void {
    const waitsForStart =
      (status.state === "READY" || status.state === "ASSIGNED") && startTimeoutMs > 0 && !status.forbid;
    if (status.state === "BACKING_OFF") this.due.set(key, status.readyMs);
    else if (waitsForStart) this.due.set(key, status.readyMs + startTimeoutMs);
    else this.due.delete(key);
    if (status.forbid && status.forbid.answer !== "revoking" && !isFinal(status.state)) this.forbids.add(key);
    else this.forbids.delete(key);
  }
}

function move(set: LiveSet, from: TaskState, to: TaskState): void {
  const left = (set.counts.get(from) ?? 0) - 1;
  if (left > 0) set.counts.set(from, left);
  else set.counts.delete(from);
  set.counts.set(to, (set.counts.get(to) ?? 0) + 1);
}
