import { createHash } from "node:crypto";
import { type Channel, createClient, ReasonError } from "@berth/chassis/grpc";
import { pool } from "@berth/contracts";
import type { ForbidAnswer } from "../domain/commands.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import { limitName } from "../domain/set-limits.js";
import type { LeaseEventBatch, PoolsPort } from "../engine/pools.js";
import { catalogueOf, leaseEvent, leaseState, runOutcome, setLimit } from "./translate.js";

const founds: Record<string, ForbidAnswer["found"]> = {
  [pool.ForbidResult_Found.NO_LEASE]: "no_lease",
  [pool.ForbidResult_Found.REVOKING]: "revoking",
  [pool.ForbidResult_Found.RELEASED]: "released",
};

/** The request id of a limit's creation: the same whenever it is asked for, so a repeat is known as one. */
function creationOf(limit: string): string {
  return createHash("sha256").update(`limit of a set: ${limit}`).digest("hex");
}

/** The pool-manager over gRPC. `note` hears how many lease events a message brought. */
export function poolClient(channel: Channel, token: string | undefined, note: (events: number) => void): PoolsPort {
  const options = { retry: true, ...(token === undefined ? {} : { token }) };
  const pools = createClient(pool.PoolServiceDefinition, channel, options);
  const ledger = createClient(pool.LeaseLedgerServiceDefinition, channel, options);
  return {
    async *watchLeaseEvents(afterPosition, signal): AsyncGenerator<LeaseEventBatch> {
      for await (const response of ledger.watchLeaseEvents({ afterPosition: BigInt(afterPosition) }, { signal })) {
        if (response.events.length > 0) note(response.events.length);
        const events = response.events.map(leaseEvent).filter((event) => event !== undefined);
        yield { events, nextPosition: Number(response.nextPosition), firstPosition: Number(response.firstPosition) };
      }
    },
    async acknowledge(position) {
      await ledger.acknowledgeLeaseEvents({ position: BigInt(position) });
    },
    async *watchCatalogue(signal) {
      for await (const response of pools.watchCatalogue({}, { signal })) yield catalogueOf(response);
    },
    async readCatalogue() {
      // There is no unary sibling: the first answer of the stream is the whole catalogue.
      const enough = AbortSignal.timeout(5_000);
      for await (const response of pools.watchCatalogue({}, { signal: enough })) return catalogueOf(response);
      throw new Error("the pool-manager ended the stream of its catalogue without an answer");
    },
    async forbid(attempts, reason) {
      const { results } = await ledger.forbidAttempts({
        attempts: attempts.map(({ key, attempt }) => ({ task: key, attempt })),
        reason: reason.slice(0, 1_024),
      });
      return results.flatMap(({ task, attempt, found, outcome }) => {
        const answer = founds[found];
        return answer ? [{ key: task, attempt, found: answer, outcome: runOutcome(outcome) }] : [];
      });
    },
    async makeLimit(set, limit) {
      await pools.createLimit({ limit: setLimit(set, limit), requestId: creationOf(limitName(set, limit.name)) });
    },
    async dropLimit(set, name) {
      await pools.deleteLimit({ limit: name, ownerSet: set }).catch((thrown: unknown) => {
        if (ReasonError.from(thrown).reason !== "NOT_FOUND") throw thrown;
      });
    },
    async leasesOf(key) {
      const { leases } = await pools.listAssignments({ task: key, pageSize: 1_000 });
      return leases.map((lease): LeaseEvent => {
        const timeMs = (lease.releaseTime ?? lease.startTime ?? lease.grantTime)?.getTime() ?? 0;
        if (lease.state === pool.Lease_State.RELEASED) return leaseState(lease, "released", 0, timeMs);
        return leaseState(lease, lease.startTime ? "started" : "granted", 0, timeMs);
      });
    },
  };
}
