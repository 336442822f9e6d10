import { FieldCheck, PushStream, ReasonError } from "@berth/chassis/grpc";
import type { NoteMessage } from "@berth/chassis/http";
import { runner as wire } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import type { Completion, CompletionVerdict } from "../domain/completion.js";
import type { Report, Revocation } from "../domain/sessions.js";
import { renewIntervalMs } from "../domain/time.js";
import type { PoolEngine } from "../engine/service.js";
import { checkHandlers, checkOutcome, checkRunner, orThrow } from "./checks.js";
import { durationOf, outcomeFromWire } from "./convert.js";
import type { Proofs } from "./proofs.js";

type Answer = wire.StreamLeasesResponse;
/** A completion that didn't count. */
interface Refused {
  readonly lease: string;
  readonly verdict: "STALE";
}

/** Answers that may wait for a slow runner before its stream is ended. */
const answersMax = 2_000;

/** An answer that doesn't fit must not be lost silently: the runner would wait for it. It attaches anew with its inventory, and hears all. */
function send(out: PushStream<Answer>, answer: Answer): void {
  if (out.push(answer) || out.ended) return;
  const message = `the reader of the leases' answers is too slow, ${answersMax} wait: open the stream again and attach with the inventory`;
  out.fail(new ReasonError("READER_TOO_SLOW", message, { retryAfterMs: 1_000 }));
}

/** The runners' side. */
export class LeaseApi implements wire.LeaseServiceImplementation {
  private readonly engine: PoolEngine;
  private readonly runnerTtlMs: number;
  private readonly proofs: Proofs;
  private readonly note: NoteMessage<"start" | "completion">;
  private readonly streams = new Map<string, PushStream<Answer>>();

  constructor(engine: PoolEngine, runnerTtlMs: number, proofs: Proofs, note: NoteMessage<"start" | "completion">) {
    this.note = note;
    this.engine = engine;
    this.runnerTtlMs = runnerTtlMs;
    this.proofs = proofs;
    engine.onRevoked((runner, revocations) => {
      const out = this.streams.get(runner);
      if (out) send(out, { kind: { $case: "revocations", value: { revocations: revocations.map(revocationToWire) } } });
    });
  }

  async attachRunner(request: wire.AttachRunnerRequest): Promise<wire.AttachRunnerResponse> {
    const check = checkRunner(new FieldCheck(), request)
      .length("pools", request.pools, 0, 64)
      .range("capacity", request.capacity, 1, 10_000)
      .range("start_number", request.startNumber, 0, Number.MAX_SAFE_INTEGER);
    for (const [i, name] of request.pools.entries()) check.name(`pools[${i}]`, name);
    check.length("labels", Object.keys(request.labels), 0, 64);
    checkHandlers(check, request.handlers);
    const { inventory, refused: unproved } = this.proved(request.inventory, check);
    check.throwIfAny();
    const { runner, incarnation, pools, capacity, labels, handlers, earlierProcessesDead } = request;
    const startNumber = Number(request.startNumber);
    const known = await this.engine.knownReports(inventory);
    const answer = orThrow(
      await this.engine.run("attach", {
        runner,
        incarnation,
        pools,
        capacity,
        labels,
        handlers,
        startNumber,
        earlierProcessesDead,
        inventory,
        known,
      }),
    );
    return {
      runnerTtl: durationOf(this.runnerTtlMs),
      renewInterval: durationOf(renewIntervalMs(this.runnerTtlMs)),
      results: resultsToWire([...answer.results, ...unproved]),
      revocations: answer.revocations.map(revocationToWire),
    };
  }

  async renewLeases(request: wire.RenewLeasesRequest): Promise<wire.RenewLeasesResponse> {
    const check = checkRunner(new FieldCheck(), request);
    const { inventory, refused: unproved } = this.proved(request.inventory, check);
    check.length("refused", request.refused, 0, 20_000).throwIfAny();
    const { runner, incarnation, draining } = request;
    const refused = request.refused.map(({ lease, token }) => ({ lease, token: Number(token) }));
    const known = await this.engine.knownReports(inventory);
    const answer = orThrow(
      await this.engine.run("renew", { runner, incarnation, inventory, draining, refused, known }),
    );
    return {
      renewal: request.renewal,
      results: resultsToWire([...answer.results, ...unproved]),
      revocations: answer.revocations.map(revocationToWire),
    };
  }

  async reportStarts(request: wire.ReportStartsRequest): Promise<wire.ReportStartsResponse> {
    checkRunner(new FieldCheck(), request).length("starts", request.starts, 0, 10_000).throwIfAny();
    if (request.starts.length > 0) this.note("start", request.starts.length);
    const { runner, incarnation } = request;
    const starts = request.starts.map(({ lease, token, startTime }) => ({
      lease,
      token: Number(token),
      ...(startTime && { startMs: startTime.getTime() }),
    }));
    orThrow(await this.engine.run("starts", { runner, incarnation, starts }));
    return {};
  }

  async completeLeases(request: wire.CompleteLeasesRequest): Promise<wire.CompleteLeasesResponse> {
    const check = checkRunner(new FieldCheck(), request).length("completions", request.completions, 0, 10_000);
    const items = completionsOf(check, request.completions);
    check.throwIfAny();
    if (items.length > 0) this.note("completion", items.length);
    const admitted = request.completions.map((item) => this.proofs.admits("call", item, item.proof));
    const proved = items.filter((_, i) => admitted[i]);
    const verdicts = orThrow(await this.engine.complete(request.runner, request.incarnation, proved));
    const decided = new Map(proved.map((item, i) => [item, verdicts[i] as CompletionVerdict]));
    return {
      results: resultsToWire(items.map((item) => ({ lease: item.lease, verdict: decided.get(item) ?? "STALE" }))),
    };
  }

  /** What of an inventory counts; an outcome with a wrong proof doesn't, and the runner may forget it. */
  private proved(
    reports: readonly wire.LeaseReport[],
    check: FieldCheck,
  ): { readonly inventory: Report[]; readonly refused: readonly Refused[] } {
    const all = reportsOf(check, reports);
    const refused = reports.filter(
      (report) => report.outcome !== undefined && !this.proofs.admits("call", report, report.proof),
    );
    const wrong = new Set(refused.map(({ lease }) => lease));
    return {
      inventory: wrong.size === 0 ? all : all.filter(({ lease }) => !wrong.has(lease)),
      refused: refused.map(({ lease }) => ({ lease, verdict: "STALE" })),
    };
  }

  async detachRunner(request: wire.DetachRunnerRequest): Promise<wire.DetachRunnerResponse> {
    checkRunner(new FieldCheck(), request).throwIfAny();
    orThrow(await this.engine.run("detach", { runner: request.runner, incarnation: request.incarnation }));
    return {};
  }

  async *streamLeases(requests: AsyncIterable<wire.StreamLeasesRequest>, context: CallContext): AsyncGenerator<Answer> {
    const out = new PushStream<Answer>({ maxItems: answersMax });
    const attached: { runner?: string } = {};
    context.signal.addEventListener("abort", () => out.end(), { once: true });
    this.read(requests, out, attached).then(
      () => out.end(),
      (error: unknown) => out.fail(ReasonError.from(error)),
    );
    try {
      yield* out;
    } finally {
      out.end();
      if (attached.runner !== undefined && this.streams.get(attached.runner) === out)
        this.streams.delete(attached.runner);
    }
  }

  /** Takes requests as they come: they share commits, and are answered in their order. */
  private async read(
    requests: AsyncIterable<wire.StreamLeasesRequest>,
    out: PushStream<Answer>,
    attached: { runner?: string },
  ): Promise<void> {
    let before: Promise<void> = Promise.resolve();
    for await (const { kind } of requests) {
      if (!kind) throw new ReasonError("INVALID_FIELD", "kind: is missing: every message carries one call");
      if (attached.runner === undefined && kind.$case !== "attach")
        throw new ReasonError("WRONG_STATE", "the first message of the stream must be an attachment");
      if (kind.$case === "attach") {
        await before;
        const value = await this.attachRunner(kind.value);
        attached.runner = kind.value.runner;
        // A later attachment on the same stream says anew what the runner has; one on another takes the runner over.
        const other = this.streams.get(attached.runner);
        if (other !== out) other?.end();
        this.streams.set(attached.runner, out);
        send(out, { kind: { $case: "attach", value } });
        continue;
      }
      const answer = this.answer(kind);
      answer.catch(() => undefined);
      before = before.then(async () => send(out, await answer));
      before.catch((error: unknown) => out.fail(ReasonError.from(error)));
      if (kind.$case === "detach") break;
    }
    await before;
  }

  private async answer(
    kind: Exclude<NonNullable<wire.StreamLeasesRequest["kind"]>, { $case: "attach" }>,
  ): Promise<Answer> {
    switch (kind.$case) {
      case "renew":
        return { kind: { $case: "renew", value: await this.renewLeases(kind.value) } };
      case "starts":
        return { kind: { $case: "starts", value: await this.reportStarts(kind.value) } };
      case "complete":
        return { kind: { $case: "complete", value: await this.completeLeases(kind.value) } };
      case "detach":
        return { kind: { $case: "detach", value: await this.detachRunner(kind.value) } };
    }
  }
}

/** Completions from the wire, checked. */
export function completionsOf(check: FieldCheck, completions: readonly wire.Completion[]): Completion[] {
  return completions.map(({ lease, token, outcome, traceParent }, i) => {
    checkOutcome(check.length(`completions[${i}].lease`, lease, 1, 128), `completions[${i}].outcome`, outcome);
    check.length(`completions[${i}].trace_parent`, traceParent, 0, 128);
    return {
      lease,
      token: Number(token),
      outcome: outcomeFromWire(outcome ?? wire.Outcome.fromPartial({})),
      traceParent,
    };
  });
}

function reportsOf(check: FieldCheck, inventory: readonly wire.LeaseReport[]): Report[] {
  check.length("inventory", inventory, 0, 20_000);
  return inventory.map(({ lease, token, state, outcome }, i) => {
    const ended = state === wire.LeaseReport_State.ENDED;
    if (ended) checkOutcome(check, `inventory[${i}].outcome`, outcome);
    return {
      lease,
      token: Number(token),
      state: ended ? "ENDED" : state === wire.LeaseReport_State.RUNNING ? "RUNNING" : "RECEIVED",
      ...(ended && outcome && { outcome: outcomeFromWire(outcome) }),
    };
  });
}

/** REREAD isn't for the wire: the runner keeps the outcome and sends it with its next renewal. */
function resultsToWire(
  results: readonly { readonly lease: string; readonly verdict: CompletionVerdict }[],
): wire.CompletionResult[] {
  return results.flatMap(({ lease, verdict }) =>
    verdict === "REREAD" ? [] : [{ lease, verdict: wire.CompletionResult_Verdict[verdict] }],
  );
}

function revocationToWire({ lease, token, reason }: Revocation): wire.Revocation {
  return { lease, token: BigInt(token), reason };
}
