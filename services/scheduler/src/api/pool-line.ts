import { createClient, PushStream } from "@berth/chassis/grpc";
import { pool } from "@berth/contracts";
import type { BidResult } from "../domain/command.js";
import type { BidTraffic } from "../domain/windows.js";
import type { BidPort } from "../engine/dispatcher.js";
import type { AssignTracer } from "../engine/tracing.js";
import type { LineParts } from "./registry-line.js";
import { bidResult, wireBid } from "./translate.js";

/** Most bids, and most withdrawals, in one message. */
const itemsMost = 1_000;
/** Messages that may wait for a slow pool-manager; more and the stream is made anew. */
const messagesMost = 1_000;
const probeMs = 2_000;

/** Keeps the bid stream of one connection at a time, and is the dispatcher's way to it. */
export class PoolLine implements BidPort {
  private readonly parts: LineParts;
  private readonly tracer: AssignTracer;
  private readonly bids;
  private readonly pools;
  private requests: PushStream<pool.StreamBidsRequest> | undefined;

  constructor(parts: LineParts, tracer: AssignTracer) {
    this.parts = parts;
    this.tracer = tracer;
    const { channel, token } = parts;
    this.bids = createClient(pool.BidServiceDefinition, channel, token === undefined ? {} : { token });
    this.pools = createClient(pool.PoolServiceDefinition, channel, { timeoutMs: probeMs });
  }

  /** Carries bids and results until the stream ends. */
  async connect(up: () => void, signal: AbortSignal): Promise<void> {
    const { tell, note } = this.parts;
    // A bid stream without bids is silent, so a cheap question says first whether anybody is there.
    await this.pools.listLimits({ pageSize: 1 }, { signal });
    const requests = new PushStream<pool.StreamBidsRequest>({ maxItems: messagesMost });
    this.requests = requests;
    const end = (): void => requests.end();
    signal.addEventListener("abort", end, { once: true });
    up();
    tell({ kind: "bids-connected" });
    try {
      for await (const { results } of this.bids.streamBids(requests, { signal })) {
        note("grant", results.length);
        tell({
          kind: "results",
          results: results.map(bidResult).filter((result): result is BidResult => result !== undefined),
        });
      }
    } finally {
      requests.end();
      this.requests = undefined;
      signal.removeEventListener("abort", end);
      tell({ kind: "bids-lost" });
    }
  }

  send({ withdrawals, bids }: BidTraffic): void {
    // Withdrawals leave in messages of their own, before the bids: a task that was withdrawn and is bid for again is then never mistaken.
    for (let at = 0; at < withdrawals.length; at += itemsMost) {
      this.push({ bids: [], withdrawals: withdrawals.slice(at, at + itemsMost).map((ref) => ({ ...ref })) });
    }
    for (let at = 0; at < bids.length; at += itemsMost) {
      const some = bids.slice(at, at + itemsMost);
      this.parts.note("bid", some.length);
      this.push({ bids: some.map((bid) => wireBid(bid, this.tracer.bidding(bid.task))), withdrawals: [] });
    }
  }

  /** Asks whether a bid would be granted now. */
  async refusalsOf(bid: pool.Bid): Promise<pool.Refusal[]> {
    return (await this.pools.checkAdmission({ bid })).refusals;
  }

  private push(request: pool.StreamBidsRequest): void {
    if (this.requests && !this.requests.push(request))
      this.requests.fail(new Error("the pool-manager takes bids too slowly"));
  }
}
