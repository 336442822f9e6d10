import { FieldCheck, PushStream, ReasonError } from "@berth/chassis/grpc";
import { pool } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import type { BidResult } from "../domain/bids.js";
import type { Lease } from "../domain/lease.js";
import { attemptKey, attemptOfKey } from "../domain/lease.js";
import type { BidNews, Dispatcher } from "../engine/dispatcher.js";
import type { PoolEngine } from "../engine/service.js";
import { checkBid, itemsMax } from "./checks.js";
import { bidFromWire, leaseToWire, refusalToWire } from "./convert.js";
import type { Proofs } from "./proofs.js";

/** Results in one message. */
const resultsPerMessage = 500;
/** Messages that may wait for a slow reader before its stream is ended. */
const messagesMax = 2_000;

/** The scheduler's side. */
export class BidApi implements pool.BidServiceImplementation {
  private readonly engine: PoolEngine;
  private readonly dispatcher: Dispatcher;
  private readonly proofs: Proofs;
  private sessions = 0;

  constructor(engine: PoolEngine, dispatcher: Dispatcher, proofs: Proofs) {
    this.engine = engine;
    this.dispatcher = dispatcher;
    this.proofs = proofs;
  }

  async placeBids(request: pool.PlaceBidsRequest): Promise<pool.PlaceBidsResponse> {
    const check = new FieldCheck().length("bids", request.bids, 1, itemsMax);
    for (const [i, bid] of request.bids.slice(0, itemsMax).entries()) checkBid(check, `bids[${i}]`, bid);
    check.throwIfAny();
    const results = await this.engine.bid("", request.bids.map(bidFromWire));
    return { results: results.map(this.resultToWire) };
  }

  async *streamBids(
    requests: AsyncIterable<pool.StreamBidsRequest>,
    context: CallContext,
  ): AsyncGenerator<pool.StreamBidsResponse> {
    const session = `s${++this.sessions}`;
    const out = new PushStream<pool.StreamBidsResponse>({ maxItems: messagesMax });
    const send = (results: readonly pool.BidResult[]): void => {
      for (let at = 0; at < results.length; at += resultsPerMessage) {
        if (!out.push({ results: results.slice(at, at + resultsPerMessage) }))
          out.fail(
            new ReasonError(
              "READER_TOO_SLOW",
              "the reader of the bids' results is too slow: open the stream again and bid again",
            ),
          );
      }
    };
    this.dispatcher.open(session, (news) => send(news.map(this.newsToWire)));
    context.signal.addEventListener("abort", () => out.end(), { once: true });
    const reading = this.read(session, requests, send).then(
      () => out.end(),
      (error: unknown) =>
        out.fail(
          context.signal.aborted ? new ReasonError("CANCELLED", "the stream was ended") : ReasonError.from(error),
        ),
    );
    try {
      yield* out;
    } finally {
      out.end();
      this.dispatcher.close(session);
      void this.engine.run("withdrawSession", { session }).catch(() => undefined);
      void reading;
    }
  }

  private async read(
    session: string,
    requests: AsyncIterable<pool.StreamBidsRequest>,
    send: (results: readonly pool.BidResult[]) => void,
  ): Promise<void> {
    for await (const { bids, withdrawals } of requests) {
      new FieldCheck().length("bids", bids, 0, itemsMax).length("withdrawals", withdrawals, 0, itemsMax).throwIfAny();
      // Not awaited: what arrives meanwhile goes into the same commit. The order of commands is the order of messages.
      const placing = bids.length > 0 ? this.place(session, bids, send) : undefined;
      const withdrawing = withdrawals.length > 0 ? this.withdraw(session, withdrawals, placing, send) : undefined;
      await Promise.all([placing, withdrawing]);
    }
  }

  private async place(
    session: string,
    bids: readonly pool.Bid[],
    send: (results: readonly pool.BidResult[]) => void,
  ): Promise<void> {
    const invalid: pool.BidResult[] = [];
    const valid = bids.filter((bid, i) => {
      const check = checkBid(new FieldCheck(), `bids[${i}]`, bid);
      if (check.violations.length === 0) return true;
      const message = check.violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
      invalid.push(
        pool.BidResult.fromPartial({
          task: bid.task,
          attempt: bid.attempt,
          verdict: pool.BidResult_Verdict.INVALID,
          message,
        }),
      );
      return false;
    });
    const keys = valid.map((bid) => attemptKey(bid.task, bid.attempt));
    this.dispatcher.expect(session, keys);
    const heldBefore = new Set(keys.filter((key) => this.engine.core.state.ledger.byKey.has(key)));
    const results = await this.engine.bid(session, valid.map(bidFromWire));
    // What was granted by this very placing has gone out with its commit; the rest is answered here.
    const answered = results.filter(
      ({ verdict, key }) =>
        verdict === "LOST" || verdict === "INVALID" || (verdict === "GRANTED" && heldBefore.has(key)),
    );
    this.dispatcher.forget(
      session,
      answered.map(({ key }) => key),
    );
    send([...invalid, ...answered.map(this.resultToWire)]);
  }

  private async withdraw(
    session: string,
    refs: readonly pool.AttemptRef[],
    placing: Promise<void> | undefined,
    send: (results: readonly pool.BidResult[]) => void,
  ): Promise<void> {
    await placing;
    const leases = await this.engine.run("withdraw", { attempts: refs });
    this.dispatcher.forget(
      session,
      refs.map(({ task, attempt }) => attemptKey(task, attempt)),
    );
    send(
      refs.map(({ task, attempt }, i) => {
        const lease = leases[i];
        const verdict = lease ? pool.BidResult_Verdict.GRANTED : pool.BidResult_Verdict.WITHDRAWN;
        return pool.BidResult.fromPartial({ task, attempt, verdict, ...(lease && { lease: this.told(lease) }) });
      }),
    );
  }

  /** The lease with its secret, which whoever bids tells the runner. */
  private told(lease: Lease): pool.Lease {
    return { ...leaseToWire(lease), secret: this.proofs.secretOf(lease.id) };
  }

  private readonly newsToWire = (news: BidNews): pool.BidResult => {
    if (news.kind === "granted") {
      const { task, attempt } = news.lease;
      return pool.BidResult.fromPartial({
        task,
        attempt,
        verdict: pool.BidResult_Verdict.GRANTED,
        lease: this.told(news.lease),
      });
    }
    return pool.BidResult.fromPartial({
      ...attemptOfKey(news.key),
      verdict: pool.BidResult_Verdict.LOST,
      message: news.message,
    });
  };

  private readonly resultToWire = (result: Exclude<BidResult, { readonly verdict: "REREAD" }>): pool.BidResult => {
    const { task, attempt } = attemptOfKey(result.key);
    switch (result.verdict) {
      case "GRANTED":
        return pool.BidResult.fromPartial({
          task,
          attempt,
          verdict: pool.BidResult_Verdict.GRANTED,
          lease: this.told(result.lease),
        });
      case "REFUSED":
        return pool.BidResult.fromPartial({
          task,
          attempt,
          verdict: pool.BidResult_Verdict.REFUSED,
          refusals: result.refusals.map(refusalToWire),
        });
      case "LOST":
        return pool.BidResult.fromPartial({
          task,
          attempt,
          verdict: pool.BidResult_Verdict.LOST,
          message: result.message,
        });
      case "INVALID":
        return pool.BidResult.fromPartial({
          task,
          attempt,
          verdict: pool.BidResult_Verdict.INVALID,
          message: result.message,
        });
      case "STANDING":
        throw new Error(`the bid of ${result.key} stands: that is told when it is granted`);
    }
  };
}
