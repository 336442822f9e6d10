import { createHash } from "node:crypto";
import { FieldCheck, limitPattern, PushStream, pageAsked, pageOf, ReasonError } from "@berth/chassis/grpc";
import { pool as wire } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import { holdersOf } from "../domain/admission.js";
import type { CreateRequest, LimitSpec, PoolSpec } from "../domain/catalogue.js";
import type { Lease } from "../domain/lease.js";
import { limitsOf, type PoolStatus, poolOf, type RunnerStatus, statusOf } from "../domain/status.js";
import type { LeaseFilter } from "../engine/ports.js";
import type { PoolEngine } from "../engine/service.js";

import { checkBid, orThrow } from "./checks.js";
import { bidFromWire, dateOf, durationOf, holderToWire, leaseToWire, refusalToWire } from "./convert.js";
import { checkLimit, limitPatch, limitSpec, limitToWire, temporaryMs } from "./limit-fields.js";
import { checkNewPool, checkPool, poolFieldsToWire, poolPatch, poolSpec } from "./pool-fields.js";

/** Handlers that the status names of a runner. */
const handlersShown = 20;

/** Holders that GetLimit names. */
const holdersShown = 100;

/** Pools, limits, and what is running. */
export class PoolApi implements wire.PoolServiceImplementation {
  private readonly engine: PoolEngine;

  constructor(engine: PoolEngine) {
    this.engine = engine;
  }

  async getStatus(): Promise<wire.GetStatusResponse> {
    const status = await this.engine.read(statusOf);
    return {
      revision: BigInt(this.engine.engine.n),
      limits: status.limits.map(limitToWire),
      pools: status.pools.map(poolToWire),
      runners: status.runners.map(runnerToWire),
      runningCount: BigInt(status.running),
      startedCount: BigInt(status.started),
      drift: BigInt(status.drift),
      grantingStopped: status.stopReason !== "",
      stopReason: status.stopReason,
      standingBids: BigInt(status.standing),
      grantedTotal: BigInt(status.granted),
      releasedTotal: BigInt(status.released),
      overtakenMax: BigInt(status.overtakenMax),
      overtakeLimit: BigInt(status.overtakeLimit),
    };
  }

  async checkAdmission({ bid }: wire.CheckAdmissionRequest): Promise<wire.CheckAdmissionResponse> {
    if (!bid) throw missing("bid");
    checkBid(new FieldCheck(), "bid", bid, false).throwIfAny();
    const refusals = await this.engine.run("checkAdmission", { bid: bidFromWire(bid) });
    return {
      admitted: refusals.length === 0,
      refusals: refusals.map(refusalToWire),
      revision: BigInt(this.engine.engine.n),
    };
  }

  async listAssignments(request: wire.ListAssignmentsRequest): Promise<wire.ListAssignmentsResponse> {
    const { max, behind: [before] = [Number.MAX_SAFE_INTEGER] } = pageAsked(request, ["number"]);
    const filter: LeaseFilter = {
      ...(request.task && { task: request.task }),
      ...(request.runner && { runner: request.runner }),
      ...(request.slot && { slot: request.slot }),
      ...(request.pool && { pool: request.pool }),
      ...(request.limit && { limit: request.limit }),
      ...(request.fromTime && { fromMs: request.fromTime.getTime() }),
      ...(request.toTime && { toMs: request.toTime.getTime() }),
    };
    // Occupying first: a lease that ends between the two reads is then seen twice rather than never, and counted once.
    const occupying = await this.engine.read((state) =>
      [...state.ledger.leases.values()]
        .map(({ lease }) => lease)
        .filter((lease) => lease.token < before && occupies(lease, filter)),
    );
    const finished = request.occupying ? [] : await this.engine.store.listFinished(filter, before, max + 1);
    const found = new Map<number, Lease>();
    for (const lease of [...occupying, ...finished]) found.set(lease.token, lease);
    const sorted = [...found.values()].sort((left, right) => right.token - left.token);
    const { items, nextPageToken } = pageOf(sorted, max, ({ token }) => [token]);
    return { leases: items.map(leaseToWire), nextPageToken };
  }

  async getPool({ pool }: wire.GetPoolRequest): Promise<wire.GetPoolResponse> {
    new FieldCheck().name("pool", pool).throwIfAny();
    const found = await this.engine.read((state, now) =>
      state.pools.has(pool) ? poolOf(state, pool, now) : undefined,
    );
    if (!found) throw new ReasonError("NOT_FOUND", `there is no pool ${JSON.stringify(pool)}`);
    return { pool: poolToWire(found) };
  }

  async listPools(request: wire.ListPoolsRequest): Promise<wire.ListPoolsResponse> {
    const { max, behind: [after] = [""] } = pageAsked(request, ["string"]);
    const { pools } = await this.engine.read(statusOf);
    const found = pools.filter(({ name }) => name > after);
    const { items, nextPageToken } = pageOf(found, max, ({ name }) => [name]);
    return { pools: items.map(poolToWire), nextPageToken };
  }

  async createPool({ pool, requestId }: wire.CreatePoolRequest): Promise<wire.CreatePoolResponse> {
    if (!pool) throw missing("pool");
    checkNewPool(pool);
    const created = orThrow(
      await this.engine.run("createPool", { spec: poolSpec(pool), ...createRequest(requestId, poolSpec(pool)) }),
    );
    return { pool: poolToWire(created.pool) };
  }

  async updatePool({ pool, updateMask }: wire.UpdatePoolRequest): Promise<wire.UpdatePoolResponse> {
    if (!pool) throw missing("pool");
    checkPool(pool);
    const updated = orThrow(
      await this.engine.run("updatePool", { name: pool.pool, patch: poolPatch(pool, updateMask), etag: pool.etag }),
    );
    return { pool: poolToWire(updated.pool), limit: limitToWire(updated.limit) };
  }

  async deletePool({ pool }: wire.DeletePoolRequest): Promise<wire.DeletePoolResponse> {
    new FieldCheck().name("pool", pool).throwIfAny();
    orThrow(await this.engine.run("deletePool", { name: pool }));
    return {};
  }

  async getLimit({ limit }: wire.GetLimitRequest): Promise<wire.GetLimitResponse> {
    checkLimitName(limit);
    const found = await this.engine.read((state) => ({
      limit: limitsOf(state).find(({ name }) => name === limit),
      holders: holdersOf(state, limit, holdersShown),
    }));
    if (!found.limit) throw new ReasonError("NOT_FOUND", `there is no limit ${JSON.stringify(limit)}`);
    return { limit: limitToWire(found.limit), holders: found.holders.map(holderToWire) };
  }

  async listLimits(request: wire.ListLimitsRequest): Promise<wire.ListLimitsResponse> {
    const { max, behind: [after] = [""] } = pageAsked(request, ["string"]);
    const limits = (await this.engine.read(limitsOf)).sort((left, right) => (left.name < right.name ? -1 : 1));
    const found = limits.filter(({ name }) => name > after);
    const { items, nextPageToken } = pageOf(found, max, ({ name }) => [name]);
    return { limits: items.map(limitToWire), nextPageToken };
  }

  async createLimit({ limit, requestId }: wire.CreateLimitRequest): Promise<wire.CreateLimitResponse> {
    if (!limit) throw missing("limit");
    checkLimit(limit);
    const created = orThrow(
      await this.engine.run("createLimit", { spec: limitSpec(limit), ...createRequest(requestId, limitSpec(limit)) }),
    );
    return { limit: limitToWire(created) };
  }

  async updateLimit(request: wire.UpdateLimitRequest): Promise<wire.UpdateLimitResponse> {
    const { limit, updateMask, endTemporary, allowMissing } = request;
    if (!limit) throw missing("limit");
    checkLimit(limit);
    const updated = orThrow(
      await this.engine.run("updateLimit", {
        name: limit.limit,
        patch: limitPatch(limit, updateMask),
        etag: limit.etag,
        forMs: temporaryMs(request),
        endTemporary,
        allowMissing,
      }),
    );
    return { limit: limitToWire(updated) };
  }

  async deleteLimit({ limit, ownerSet }: wire.DeleteLimitRequest): Promise<wire.DeleteLimitResponse> {
    checkLimitName(limit);
    if (ownerSet !== "") new FieldCheck().name("owner_set", ownerSet).throwIfAny();
    orThrow(await this.engine.run("deleteLimit", { name: limit, ownerSet: ownerSet === "" ? undefined : ownerSet }));
    return {};
  }

  async listLimitChanges(request: wire.ListLimitChangesRequest): Promise<wire.ListLimitChangesResponse> {
    const { max, behind: [before] = [Number.MAX_SAFE_INTEGER] } = pageAsked(request, ["number"]);
    await this.engine.read(() => undefined);
    const changes = await this.engine.store.listLimitChanges(request.limit, before, max + 1);
    const { items, nextPageToken } = pageOf(changes, max, ({ id }) => [id]);
    return {
      changes: items.map(({ limit, oldCapacity, newCapacity, expireMs, revertCapacity, wallMs, reason, revision }) => ({
        limit,
        oldCapacity: oldCapacity === undefined ? undefined : BigInt(oldCapacity),
        newCapacity: newCapacity === undefined ? undefined : BigInt(newCapacity),
        expireTime: dateOf(expireMs),
        revertCapacity: revertCapacity === undefined ? undefined : BigInt(revertCapacity),
        changeTime: dateOf(wallMs),
        reason,
        revision: BigInt(revision),
      })),
      nextPageToken,
    };
  }

  async *watchCatalogue(
    _request: wire.WatchCatalogueRequest,
    context: CallContext,
  ): AsyncGenerator<wire.WatchCatalogueResponse> {
    // One waiting mark is enough: the catalogue is read whole when the reader comes for it.
    const changed = new PushStream<true>({ maxItems: 1 });
    const ended = this.engine.onCommit(({ changes }) => {
      if (changes.some(({ k }) => k === "pool" || k === "limit")) changed.push(true);
    });
    context.signal.addEventListener("abort", () => changed.end(), { once: true });
    changed.push(true);
    try {
      for await (const _mark of changed) {
        const status = await this.engine.read(statusOf);
        const limits = status.limits.filter(({ name }) => !name.startsWith("runner:"));
        yield {
          version: BigInt(status.version),
          pools: status.pools.map((pool) => poolToWire({ ...pool, running: 0, standing: 0, runners: 0 })),
          limits: limits.map((limit) => limitToWire({ ...limit, used: 0 })),
        };
      }
    } finally {
      ended();
      changed.end();
    }
  }
}

function occupies(lease: Lease, { task, runner, slot, pool, limit, toMs }: LeaseFilter): boolean {
  return (
    (task === undefined || lease.task === task) &&
    (runner === undefined || lease.runner === runner) &&
    (slot === undefined || lease.slot === slot) &&
    (pool === undefined || lease.pool === pool) &&
    (limit === undefined || lease.weights.some(([name]) => name === limit)) &&
    (toMs === undefined || lease.grantMs < toMs)
  );
}

function createRequest(requestId: string, spec: PoolSpec | LimitSpec): CreateRequest {
  new FieldCheck().requestId("request_id", requestId).throwIfAny();
  return { requestId, requestDigest: createHash("sha256").update(JSON.stringify(spec)).digest("base64url") };
}

function checkLimitName(limit: string): void {
  new FieldCheck().name("limit", limit, limitPattern).throwIfAny();
}

function missing(field: string): ReasonError {
  return new ReasonError("INVALID_FIELD", `${field}: is missing`, { fields: [{ field, description: "is missing" }] });
}

function poolToWire(pool: PoolStatus): wire.Pool {
  return wire.Pool.fromPartial({
    pool: pool.name,
    type: wire.Pool_Type[pool.type],
    runningCount: BigInt(pool.running),
    standingBids: BigInt(pool.standing),
    runnerCount: pool.runners,
    etag: String(pool.version),
    ...poolFieldsToWire(pool),
  });
}

function runnerToWire({
  runner,
  incarnation,
  pools,
  capacity,
  running,
  labels,
  handlers,
  state,
  silenceMs,
}: RunnerStatus): wire.Runner {
  return {
    runner,
    incarnation,
    pools: [...pools],
    capacity,
    runningCount: running,
    labels: { ...labels },
    state: wire.Runner_State[state],
    silence: durationOf(silenceMs),
    handlers: handlers.slice(0, handlersShown),
    handlerCount: handlers.length,
  };
}
