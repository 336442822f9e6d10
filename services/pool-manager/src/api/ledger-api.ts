import { FieldCheck, PushStream, pageAsked } from "@berth/chassis/grpc";
import { pool } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import { eventsOf, type LeaseEvent, readEvents } from "../engine/lease-events.js";
import type { PoolEngine } from "../engine/service.js";
import { itemsMax } from "./checks.js";
import { eventToWire, outcomeToWire } from "./convert.js";

const positionMax = Number.MAX_SAFE_INTEGER;
/** Events that may wait for a slow watcher; one that is further behind goes on from the journal. */
const waitingMax = 20_000;

/** The registry's side. */
export class LedgerApi implements pool.LeaseLedgerServiceImplementation {
  private readonly engine: PoolEngine;

  constructor(engine: PoolEngine) {
    this.engine = engine;
  }

  async forbidAttempts({ attempts, reason }: pool.ForbidAttemptsRequest): Promise<pool.ForbidAttemptsResponse> {
    const check = new FieldCheck().length("attempts", attempts, 1, itemsMax).length("reason", reason, 0, 1_024);
    for (const [i, { task, attempt }] of attempts.slice(0, itemsMax).entries()) {
      check.length(`attempts[${i}].task`, task, 1, 256).range(`attempts[${i}].attempt`, attempt, 1, 2 ** 31 - 1);
    }
    check.throwIfAny();
    const results = await this.engine.forbid(attempts, reason);
    return {
      results: attempts.map(({ task, attempt }, i) => {
        const result = results[i];
        if (result === undefined) throw new Error(`forbidding attempt ${attempt} of ${task} had no result`);
        const outcome = result.found === "RELEASED" && result.outcome ? outcomeToWire(result.outcome) : undefined;
        return { task, attempt, found: pool.ForbidResult_Found[result.found], outcome };
      }),
    };
  }

  async listLeaseEvents(request: pool.ListLeaseEventsRequest): Promise<pool.ListLeaseEventsResponse> {
    new FieldCheck().range("after_position", request.afterPosition, 0, positionMax).throwIfAny();
    const { max } = pageAsked({ pageSize: request.pageSize, pageToken: "" }, [], { usual: 500, most: itemsMax });
    const end = await this.end();
    const page = await readEvents(this.engine.store, Number(request.afterPosition), max, end);
    return {
      events: page.events.map(eventToWire),
      nextPosition: BigInt(page.nextPosition),
      more: page.more,
      firstPosition: BigInt(page.firstPosition),
    };
  }

  async *watchLeaseEvents(
    request: pool.WatchLeaseEventsRequest,
    context: CallContext,
  ): AsyncGenerator<pool.WatchLeaseEventsResponse> {
    new FieldCheck().range("after_position", request.afterPosition, 0, positionMax).throwIfAny();
    let position = Number(request.afterPosition);
    let first = 0;
    const message = (events: readonly LeaseEvent[]): pool.WatchLeaseEventsResponse => ({
      events: events.map(eventToWire),
      nextPosition: BigInt(position),
      firstPosition: BigInt(first),
    });
    while (!context.signal.aborted) {
      // From here on nothing is missed: what is committed during the reading waits in `live`.
      const live = new PushStream<readonly LeaseEvent[]>({ maxItems: Math.ceil(waitingMax / 10) });
      const ended = this.engine.onCommit((commit) => {
        const events = eventsOf(commit);
        if (events.length > 0 && !live.push(events)) live.end();
      });
      const stop = (): void => live.end();
      context.signal.addEventListener("abort", stop, { once: true });
      try {
        for (let more = true; more && !context.signal.aborted; ) {
          const page = await readEvents(this.engine.store, position, 500, position);
          position = page.nextPosition;
          first = page.firstPosition;
          more = page.more;
          yield message(page.events);
        }
        for await (const events of live) {
          const fresh = events.filter((event) => event.position > position);
          for (let at = 0; at < fresh.length; at += 500) {
            const part = fresh.slice(at, at + 500);
            position = part.at(-1)?.position ?? position;
            yield message(part);
          }
        }
      } finally {
        ended();
        live.end();
        context.signal.removeEventListener("abort", stop);
      }
    }
  }

  async acknowledgeLeaseEvents({
    position,
  }: pool.AcknowledgeLeaseEventsRequest): Promise<pool.AcknowledgeLeaseEventsResponse> {
    new FieldCheck().range("position", position, 0, positionMax).throwIfAny();
    await this.engine.run("acknowledge", { position: Number(position) });
    return {};
  }

  /** A position that is certainly committed, under this epoch. */
  private async end(): Promise<number> {
    await this.engine.read(() => undefined);
    return this.engine.position;
  }
}
