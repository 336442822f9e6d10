import { type Clock, delay, type Timer } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import { PushStream } from "@berth/chassis/grpc";
import type { Logger } from "@berth/chassis/log";
import type { runner } from "@berth/contracts";
import type { Instant } from "../domain/deadline.js";
import { inMessages, type Leases } from "../domain/leases.js";
import { milliseconds } from "../domain/milliseconds.js";
import type { Announcement } from "../offer.js";
import { within } from "../within.js";
import { DeadlineWatch } from "./deadline-watch.js";
import type { Incarnation } from "./incarnations.js";
import type { LeaseLink } from "./lease-link.js";

/** What a session needs. */
export interface SessionOptions {
  readonly runner: string;
  readonly link: LeaseLink;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the runner offers now. */
  offer(): Announcement;
  now(): Instant;
  newIncarnation(): Incarnation;
  /** True while no new work is wanted. */
  isDraining(): boolean;
  /** A session begins; everything of earlier ones is dead. */
  onBegin(incarnation: string): Promise<void>;
  /** The incarnation has attached: work may be fetched. Called again after every new attachment. */
  onAttached(): void;
  /** The deadline is that far away. */
  onDeadline(leftMs: number): void;
  /** The deadline is near: runs are to end within `graceMs`. */
  onNearDeadline(graceMs: number): void;
  /** The session is over: everything is killed and its outcomes are in the spool when this settles. */
  onEnd(reason: string): Promise<void>;
  /** Runs are to be stopped. */
  onRevoked(revocations: readonly runner.Revocation[]): void;
  /** Outcomes are confirmed. */
  onConfirmed(leases: readonly string[], results: readonly runner.CompletionResult[]): void;
  /** Longest grace that a run wants, milliseconds. */
  graceMs(): number;
}

const inventoryBytesMax = 2 * 1024 * 1024;
const messageBytesMax = 1024 * 1024;
const completionsMax = 500;
const startsMax = 5_000;
const refusalsMax = 10_000;
/** Runs that end within this time aren't reported as begun: their completion says it all. */
const reportStartAfterMs = 50;
const backOffFirstMs = 50;
const backOffMaxMs = 2_000;
/** Renewals without an answer from which the stream counts as dead. */
const unansweredMax = 3;
const attachTimeoutMs = 5_000;

type Break = "broken" | "refused" | "detached";

/**
 * Keeps one incarnation after the other attached to the pool-manager, and with it the deadline until which runs may live.
 *
 * A stream that breaks is opened again under the same incarnation. An incarnation ends when its deadline passes or when it is refused;
 * then everything is killed, and a new one attaches.
 */
export class Session {
  private readonly options: SessionOptions;
  private readonly deadline: DeadlineWatch;
  private readonly stopping = new AbortController();
  private current = "";
  private startNumber = 0;
  private requests: PushStream<runner.StreamLeasesRequest> | undefined;
  private attached = false;
  private ttlMs = 0;
  private renewMs = 1_000;
  private renewals = 0;
  private readonly renewalsSent = new Map<bigint, Instant>();
  /** When the unanswered attachments of this stream were sent, oldest first. */
  private attachmentsSent: Instant[] = [];
  private announcing = false;
  private renewTimer: Timer | undefined;
  private startsTimer: Timer | undefined;
  private connection: AbortController | undefined;
  /** True if the present or last connection has attached. */
  private everAttached = false;
  private failures = 0;
  private wakePause: (() => void) | undefined;
  private running: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
    this.deadline = new DeadlineWatch({
      clock: options.clock,
      now: () => options.now(),
      graceMs: () => options.graceMs(),
      onDeadline: (leftMs) => options.onDeadline(leftMs),
      onNear: (graceMs) => options.onNearDeadline(graceMs),
      onPassed: () => {
        this.connection?.abort();
        this.wakePause?.();
      },
    });
  }

  /** The incarnation; empty before the first. */
  get incarnation(): string {
    return this.current;
  }

  /** True while the pool-manager answers. */
  get isAttached(): boolean {
    return this.attached;
  }

  /** True if nothing may start and nothing may live. */
  get deadlinePassed(): boolean {
    return this.deadline.passed;
  }

  /** Begins to attach; goes on by itself until `stop`. */
  start(): void {
    this.running ??= this.run();
  }

  /** Ends the stream, without detaching. Safe to call twice. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.connection?.abort();
    await this.running;
  }

  /** Detaches: nothing is held any more. Settles when it is answered, or after `timeoutMs`. */
  async detach(timeoutMs: number): Promise<void> {
    if (!this.push({ $case: "detach", value: { runner: this.options.runner, incarnation: this.current } })) return;
    this.stopping.abort();
    await within(this.options.clock, this.running ?? Promise.resolve(), timeoutMs);
  }

  /** Sends completions, if there is a stream; otherwise they go along with the next attachment. */
  complete(completions: readonly runner.Completion[]): void {
    if (!this.attached) return;
    for (const message of inMessages(completions, completionsMax, messageBytesMax)) {
      const value = { runner: this.options.runner, incarnation: this.current, completions: message };
      if (this.push({ $case: "complete", value })) this.options.leases.sent(message, this.options.clock.monoMs());
    }
  }

  /** A run has begun: it is reported if it lives on. */
  began(): void {
    this.startsTimer ??= this.options.clock.setTimer(reportStartAfterMs, () => this.reportStarts());
  }

  /** Renews now instead of at the next interval: something has changed that the pool-manager should know. */
  renewNow(): void {
    if (this.attached) this.renew();
  }

  /** What the runner offers has changed: it is said anew, once for all the changes of this turn. Without a stream the next one says it. */
  announce(): void {
    if (this.announcing) return;
    this.announcing = true;
    queueMicrotask(() => {
      this.announcing = false;
      if (this.requests) this.sendAttachment(this.renewMs);
    });
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const { id, startNumber } = this.options.newIncarnation();
      this.current = id;
      this.startNumber = startNumber;
      this.deadline.begin();
      this.options.leases.newSession();
      await this.options.onBegin(this.current);
      const reason = await this.keepAttached();
      this.deadline.end();
      this.clearTimers();
      if (this.stopping.signal.aborted) return;
      this.options.logger.warn(
        { incarnation: this.current, reason },
        "session over; everything is killed and a new incarnation attaches",
      );
      await this.options.onEnd(reason);
    }
  }

  /** Connects again and again under one incarnation; returns why that is over. */
  private async keepAttached(): Promise<string> {
    let waitMs = backOffFirstMs;
    while (!this.stopping.signal.aborted) {
      this.everAttached = false;
      const end = await this.connect();
      if (end === "detached") return "detached";
      if (end === "refused") return "the pool-manager refused the incarnation";
      if (this.deadline.expired) return "the deadline passed";
      if (this.everAttached) waitMs = backOffFirstMs;
      await this.pause(waitMs);
      if (this.deadline.expired) return "the deadline passed";
      waitMs = Math.min(waitMs * 2, backOffMaxMs);
    }
    return "stopped";
  }

  private async connect(): Promise<Break> {
    const { link, logger } = this.options;
    const connection = new AbortController();
    this.connection = connection;
    this.requests = new PushStream<runner.StreamLeasesRequest>({ maxItems: 10_000 });
    this.renewalsSent.clear();
    this.attachmentsSent = [];
    this.sendAttachment(0);
    const tooLong = this.options.clock.setTimer(attachTimeoutMs, () => {
      if (!this.attached) connection.abort();
    });
    let end: Break = "broken";
    try {
      for await (const { kind } of link.open(this.requests, connection.signal)) {
        if (!kind) continue;
        if (kind.$case === "detach") {
          end = "detached";
          break;
        }
        this.take(kind);
      }
    } catch (error) {
      if (link.isRefused(error)) end = "refused";
      // One line for a pool-manager that is away, not one for each attempt.
      if (!connection.signal.aborted)
        logger[this.failures === 0 ? "warn" : "debug"](
          { error: describe(error, { named: true }) },
          "the lease stream has broken",
        );
      this.failures += 1;
    } finally {
      tooLong.cancel();
      this.renewTimer?.cancel();
      this.requests.end();
      this.requests = undefined;
      this.attached = false;
      this.options.leases.streamBroke();
      connection.abort();
    }
    return end;
  }

  private take(kind: NonNullable<runner.StreamLeasesResponse["kind"]>): void {
    switch (kind.$case) {
      case "attach":
        return this.takeAttachment(kind.value);
      case "renew": {
        const sent = this.renewalsSent.get(kind.value.renewal);
        for (const number of this.renewalsSent.keys())
          if (number <= kind.value.renewal) this.renewalsSent.delete(number);
        if (sent) this.deadline.renewed(sent, this.ttlMs);
        this.confirm(kind.value.results);
        return this.revoke(kind.value.revocations);
      }
      case "complete":
        return this.confirm(kind.value.results);
      case "revocations":
        return this.revoke(kind.value.revocations);
      case "starts":
      case "detach":
        return;
    }
  }

  private sendAttachment(patienceMs: number): void {
    const { runner, offer, leases, clock, now } = this.options;
    this.attachmentsSent.push(now());
    const inventory = leases.inventory(clock.monoMs(), patienceMs, inventoryBytesMax);
    const value = {
      runner,
      incarnation: this.current,
      ...offer(),
      earlierProcessesDead: true,
      startNumber: BigInt(this.startNumber),
      inventory,
    };
    this.push({ $case: "attach", value });
  }

  private takeAttachment(answer: runner.AttachRunnerResponse): void {
    this.ttlMs = milliseconds(answer.runnerTtl) ?? 0;
    this.renewMs = Math.max(20, milliseconds(answer.renewInterval) ?? this.ttlMs / 6);
    const { current: incarnation, ttlMs, renewMs } = this;
    this.options.logger[this.attached ? "debug" : "info"](
      { incarnation, ttlMs, renewMs },
      "attached to the pool-manager",
    );
    this.attached = true;
    this.everAttached = true;
    this.failures = 0;
    const sent = this.attachmentsSent.shift();
    if (sent) this.deadline.renewed(sent, this.ttlMs);
    this.confirm(answer.results);
    this.revoke(answer.revocations);
    this.complete(this.options.leases.unsent());
    // An attachment can't say that no work is wanted; a renewal can.
    if (this.options.isDraining()) this.renew();
    else this.armRenewal();
    this.options.onAttached();
  }

  private renew(): void {
    if (this.deadlinePassed) return this.deadline.expire();
    const { leases, clock, now, runner, isDraining } = this.options;
    if (this.renewalsSent.size >= unansweredMax) {
      this.options.logger.warn(
        { unanswered: this.renewalsSent.size },
        "renewals aren't answered; the lease stream is opened again",
      );
      this.connection?.abort();
      return;
    }
    this.renewals += 1;
    const renewal = BigInt(this.renewals);
    this.renewalsSent.set(renewal, now());
    const inventory = leases.inventory(clock.monoMs(), this.renewMs, inventoryBytesMax);
    const refused = leases.refusals(refusalsMax);
    this.push({
      $case: "renew",
      value: { runner, incarnation: this.current, renewal, inventory, draining: isDraining(), refused },
    });
    this.armRenewal();
  }

  private armRenewal(): void {
    this.renewTimer?.cancel();
    this.renewTimer = this.options.clock.setTimer(this.renewMs, () => this.renew());
  }

  private async pause(ms: number): Promise<void> {
    const enough = new AbortController();
    this.wakePause = () => enough.abort();
    await delay(this.options.clock, ms, AbortSignal.any([enough.signal, this.stopping.signal]));
    this.wakePause = undefined;
  }

  private reportStarts(): void {
    this.startsTimer = undefined;
    const { leases, clock, runner } = this.options;
    const starts = leases.startsDue(clock.monoMs() - reportStartAfterMs);
    for (let at = 0; at < starts.length; at += startsMax) {
      this.push({
        $case: "starts",
        value: { runner, incarnation: this.current, starts: starts.slice(at, at + startsMax) },
      });
    }
    if (leases.hasYoung) this.began();
  }

  private confirm(results: readonly runner.CompletionResult[]): void {
    if (results.length === 0) return;
    this.options.onConfirmed(this.options.leases.confirm(results), results);
  }

  private revoke(revocations: readonly runner.Revocation[]): void {
    if (revocations.length === 0) return;
    const { stop, send } = this.options.leases.revoke(revocations);
    this.complete(send);
    if (stop.length > 0) this.options.onRevoked(stop);
  }

  private push(kind: NonNullable<runner.StreamLeasesRequest["kind"]>): boolean {
    return this.requests?.push({ kind }) ?? false;
  }

  private clearTimers(): void {
    this.renewTimer?.cancel();
    this.startsTimer?.cancel();
    this.startsTimer = undefined;
  }
}
