import { runner } from "@berth/contracts";

interface Held {
  readonly lease: string;
  readonly token: bigint;
  state: "received" | "running" | "ended";
  startWallMs: number;
  startMonoMs: number;
  startReported: boolean;
  completion: runner.Completion | undefined;
  /** When the completion was last sent on the present stream. */
  sentMonoMs: number | undefined;
}

/** What a set of revocations asks of the runner. */
export interface RevocationPlan {
  /** Runs to stop. */
  readonly stop: readonly runner.Revocation[];
  /** Completions to send: outcomes that are there already, and promises never to start. */
  readonly send: readonly runner.Completion[];
}

/** Leases and slots that are remembered beyond those that are held: at least this many, at most twice. */
const recentMax = 65_536;

/**
 * Everything this runner holds or hasn't had confirmed. A lease is *received* when its work has come, *running* while a process or
 * handler lives, *ended* when its outcome is in the spool, and forgotten when the outcome is confirmed. A *refused* lease was revoked
 * before its work came and is never started.
 *
 * Work that comes again is dropped: while its lease is held by the lease, later by the slot, because a slot's tokens only grow.
 */
export class Leases {
  private readonly held = new Map<string, Held>();
  private readonly refused = new Recent<bigint>(recentMax);
  /** Promises never to start that aren't known to have arrived: each renewal repeats them. */
  private readonly promises = new Map<string, bigint>();
  private readonly slotTokens = new Recent<bigint>(recentMax);
  /** The last leases that were forgotten: a revocation may have crossed their confirmation. */
  private readonly finished = new Recent<bigint>(recentMax);
  private young: Held[] = [];

  /** Leases that are held: received, running or ended. */
  get count(): number {
    return this.held.size;
  }

  /** Leases whose work hasn't ended. */
  get unfinished(): number {
    let count = 0;
    for (const held of this.held.values()) if (held.state !== "ended") count += 1;
    return count;
  }

  /** True if the work is to be run, false if it is to be dropped. */
  receive(work: runner.Work): boolean {
    if (this.held.has(work.lease) || this.refused.has(work.lease) || this.finished.has(work.lease)) return false;
    const newest = this.slotTokens.get(work.slot);
    if (newest !== undefined && work.token <= newest) return false;
    this.slotTokens.set(work.slot, work.token);
    this.hold(work.lease, work.token, "received");
    return true;
  }

  /** A run has begun. */
  begin(lease: string, nowMonoMs: number, nowWallMs: number): void {
    const held = this.held.get(lease);
    if (held?.state !== "received") return;
    held.state = "running";
    held.startMonoMs = nowMonoMs;
    held.startWallMs = nowWallMs;
    this.young.push(held);
  }

  /** An outcome may be sent: it is in the spool, or was found there. */
  end(completion: runner.Completion): void {
    const held = this.held.get(completion.lease) ?? this.hold(completion.lease, completion.token, "ended");
    held.state = "ended";
    held.completion = completion;
    held.sentMonoMs = undefined;
  }

  /** A completion has been put on the present stream. */
  sent(completions: readonly runner.Completion[], nowMonoMs: number): void {
    for (const { lease } of completions) {
      const held = this.held.get(lease);
      if (held) held.sentMonoMs = nowMonoMs;
    }
  }

  /** The stream has broken: what was sent on it may be lost. */
  streamBroke(): void {
    for (const held of this.held.values()) held.sentMonoMs = undefined;
  }

  /** A new session: leases of earlier ones have ended, so promises about them are no longer needed. */
  newSession(): void {
    this.refused.clear();
    this.promises.clear();
  }

  /** Applies revocations. */
  revoke(revocations: readonly runner.Revocation[]): RevocationPlan {
    const stop: runner.Revocation[] = [];
    const send: runner.Completion[] = [];
    for (const revocation of revocations) {
      const held = this.held.get(revocation.lease);
      if (!held && this.finished.has(revocation.lease)) {
        // Its outcome has been confirmed since the revocation was sent.
      } else if (!held) {
        this.refused.set(revocation.lease, revocation.token);
        this.promises.set(revocation.lease, revocation.token);
        send.push(neverStarted(revocation));
      } else if (held.token !== revocation.token) {
        // A revocation of another token isn't about what runs here.
      } else if (held.state === "ended") {
        if (held.completion) send.push(held.completion);
      } else stop.push(revocation);
    }
    return { stop, send };
  }

  /** Applies verdicts, each of which lets the runner forget; returns the leases forgotten. */
  confirm(results: readonly runner.CompletionResult[]): string[] {
    const forgotten: string[] = [];
    for (const { lease } of results) {
      this.promises.delete(lease);
      const held = this.held.get(lease);
      if (held?.state !== "ended") continue;
      this.held.delete(lease);
      this.finished.set(lease, held.token);
      forgotten.push(lease);
    }
    return forgotten;
  }

  /**
   * What is held, for a renewal. An outcome that was sent less than `patienceMs` ago is left out: its answer is on the way, and the
   * stream keeps the order. Older and unsent ones go along, at most `bytesMax` of them together.
   */
  inventory(nowMonoMs: number, patienceMs: number, bytesMax: number): runner.LeaseReport[] {
    const reports: runner.LeaseReport[] = [];
    let left = bytesMax;
    for (const held of this.held.values()) {
      const state = reportStates[held.state];
      if (!held.completion) {
        reports.push({ lease: held.lease, token: held.token, state, outcome: undefined, proof: noProof });
        continue;
      }
      if (held.sentMonoMs !== undefined && nowMonoMs - held.sentMonoMs < patienceMs) continue;
      left -= sizeOf(held.completion);
      if (left < 0) continue;
      held.sentMonoMs = nowMonoMs;
      const { outcome, proof } = held.completion;
      reports.push({ lease: held.lease, token: held.token, state, outcome, proof });
    }
    return reports;
  }

  /** Promises never to start that haven't been answered, oldest first. */
  refusals(max: number): runner.LeaseReport[] {
    const reports: runner.LeaseReport[] = [];
    for (const [lease, token] of this.promises) {
      if (reports.length >= max) break;
      reports.push({ lease, token, state: runner.LeaseReport_State.ENDED, outcome: undefined, proof: noProof });
    }
    return reports;
  }

  /** Outcomes that haven't been sent on the present stream. */
  unsent(): runner.Completion[] {
    const completions: runner.Completion[] = [];
    for (const held of this.held.values()) {
      if (held.completion && held.sentMonoMs === undefined) completions.push(held.completion);
    }
    return completions;
  }

  /** Runs that began at or before `cutoffMonoMs`, still live and haven't been reported; each is returned once. */
  startsDue(cutoffMonoMs: number): runner.Start[] {
    const starts: runner.Start[] = [];
    let index = 0;
    for (; index < this.young.length; index++) {
      const held = this.young[index] as Held;
      if (held.startMonoMs > cutoffMonoMs) break;
      if (held.state !== "running" || held.startReported) continue;
      held.startReported = true;
      starts.push({ lease: held.lease, token: held.token, startTime: new Date(held.startWallMs) });
    }
    this.young = this.young.slice(index);
    return starts;
  }

  /** True if there are runs that `startsDue` will have to be asked for later. */
  get hasYoung(): boolean {
    return this.young.length > 0;
  }

  private hold(lease: string, token: bigint, state: Held["state"]): Held {
    const held: Held = {
      lease,
      token,
      state,
      startWallMs: 0,
      startMonoMs: 0,
      startReported: false,
      completion: undefined,
      sentMonoMs: undefined,
    };
    this.held.set(lease, held);
    return held;
  }
}

const noProof = Buffer.alloc(0);

const reportStates = {
  received: runner.LeaseReport_State.RECEIVED,
  running: runner.LeaseReport_State.RUNNING,
  ended: runner.LeaseReport_State.ENDED,
} as const;

function neverStarted({ lease, token, reason }: runner.Revocation): runner.Completion {
  return runner.Completion.fromPartial({
    lease,
    token,
    outcome: {
      result: runner.Outcome_Result.NOT_STARTED,
      message: `revoked before its work arrived${reason === "" ? "" : `: ${reason}`}`,
    },
  });
}

/**
 * A map that forgets its oldest entries, in two generations: a single map that loses one entry for each it takes spends its time stepping over
 * what it has lost.
 */
class Recent<Value> {
  private readonly max: number;
  private young = new Map<string, Value>();
  private old = new Map<string, Value>();

  constructor(max: number) {
    this.max = max;
  }

  set(key: string, value: Value): void {
    this.young.set(key, value);
    if (this.young.size < this.max) return;
    this.old = this.young;
    this.young = new Map();
  }

  get(key: string): Value | undefined {
    return this.young.get(key) ?? this.old.get(key);
  }

  has(key: string): boolean {
    return this.young.has(key) || this.old.has(key);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
  }
}

/** Rough size of a completion on the wire, bytes. */
export function sizeOf({ outcome, lease, traceParent }: runner.Completion): number {
  return (
    128 + lease.length + traceParent.length + (outcome ? outcome.resultJson.length + 3 * outcome.message.length : 0)
  );
}

/** Cuts completions into messages of at most `countMax` items and about `bytesMax` bytes. */
export function inMessages(
  completions: readonly runner.Completion[],
  countMax: number,
  bytesMax: number,
): runner.Completion[][] {
  const messages: runner.Completion[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const completion of completions) {
    const size = sizeOf(completion);
    const last = messages[messages.length - 1];
    if (last && last.length < countMax && bytes + size <= bytesMax) {
      last.push(completion);
      bytes += size;
    } else {
      messages.push([completion]);
      bytes = size;
    }
  }
  return messages;
}
