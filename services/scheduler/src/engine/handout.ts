import type { runner } from "@berth/contracts";
import type { Assignment } from "../domain/task.js";
import { type Runs, runBytes } from "./runs.js";
import type { AssignTracer } from "./tracing.js";

/** The way to one runner's process. */
export interface WorkStream {
  /** Sends a message; false if the runner doesn't take them fast enough. */
  push(message: { work: runner.Work[] }): boolean;
  /** Ends the stream; the runner connects again and gets everything anew. */
  end(): void;
}

/** Bounds of one message of work. */
const itemsMost = 500;
const bytesMost = 2 * 1024 * 1024;
/** Room for everything of an item but the run: ids, pool, slot, trace parent. */
const leaseBytes = 1_024;

interface Outlet {
  readonly incarnation: string;
  readonly stream: WorkStream;
  batch: runner.Work[];
  bytes: number;
}

/** Settings of {@link Handout}. */
export interface HandoutOptions {
  readonly runs: Runs;
  readonly tracer: AssignTracer;
  /** Notes the items of a message that left. */
  readonly noteMessage: (items: number) => void;
  /** Asks for `flush` at the end of this event-loop turn. */
  readonly flushSoon: () => void;
}

/** Joins leases with what to run and sends them to the runners, all of one turn in as few messages as fit. */
export class Handout {
  private readonly options: HandoutOptions;
  private readonly outlets = new Map<string, Outlet>();
  private readonly filled = new Set<Outlet>();
  private readonly fetching = new Set<string>();

  constructor(options: HandoutOptions) {
    this.options = options;
  }

  /** Work streams that are open. */
  get streams(): number {
    return this.outlets.size;
  }

  /** Takes the stream of a runner's process. One that the runner had before is ended. */
  attach(runnerId: string, incarnation: string, stream: WorkStream): void {
    this.outlets.get(runnerId)?.stream.end();
    this.outlets.set(runnerId, { incarnation, stream, batch: [], bytes: 0 });
  }

  /** Lets a stream go, unless a newer one has taken its place. */
  detach(runnerId: string, stream: WorkStream): void {
    if (this.outlets.get(runnerId)?.stream === stream) this.outlets.delete(runnerId);
  }

  /** Hands out. Work for a runner without a stream isn't kept here: the runner gets it on its connection. */
  give(work: readonly Assignment[]): void {
    for (const assignment of work) {
      const { lease } = assignment.grant;
      if (!this.outletOf(assignment) || this.fetching.has(lease)) continue;
      this.fetching.add(lease);
      this.options.runs.take(assignment.task.task, (run) => {
        this.fetching.delete(lease);
        // While the run was fetched the runner may have gone.
        const outlet = this.outletOf(assignment);
        if (run && outlet) this.put(outlet, this.workOf(assignment, run), runBytes(run));
      });
    }
  }

  /** One item of work. The grant's span is the parent of the run's. */
  workOf(assignment: Assignment, run: runner.Run): runner.Work {
    const { task, grant } = assignment;
    const { lease, token, pool, slot, secret } = grant;
    const traceParent = this.options.tracer.handedOut(assignment);
    return {
      lease,
      token,
      task: task.task,
      attempt: task.attempt,
      pool,
      slot,
      run,
      tenant: task.tenant,
      traceParent,
      secret,
    };
  }

  /** Sends what this turn brought. */
  flush(): void {
    for (const outlet of this.filled) this.send(outlet);
    this.filled.clear();
  }

  /** Ends every stream. */
  end(): void {
    for (const { stream } of this.outlets.values()) stream.end();
    this.outlets.clear();
  }

  private outletOf({ grant }: Assignment): Outlet | undefined {
    const outlet = this.outlets.get(grant.runner);
    return outlet?.incarnation === grant.incarnation ? outlet : undefined;
  }

  private put(outlet: Outlet, work: runner.Work, bytes: number): void {
    if (outlet.batch.length >= itemsMost || (outlet.batch.length > 0 && outlet.bytes + bytes + leaseBytes > bytesMost))
      this.send(outlet);
    outlet.batch.push(work);
    outlet.bytes += bytes + leaseBytes;
    if (this.filled.size === 0) this.options.flushSoon();
    this.filled.add(outlet);
  }

  private send(outlet: Outlet): void {
    const work = outlet.batch;
    if (work.length === 0) return;
    outlet.batch = [];
    outlet.bytes = 0;
    this.options.noteMessage(work.length);
    if (!outlet.stream.push({ work })) outlet.stream.end();
  }
}
