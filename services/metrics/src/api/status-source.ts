import { type Channel, createClient } from "@berth/chassis/grpc";
import type { Logger } from "@berth/chassis/log";
import { pool, scheduler } from "@berth/contracts";
import type { PoolStatus, QueueStatus } from "../domain/snapshot.js";
import type { StatusSource } from "../engine/sampler.js";

/** Longest time for an answer. */
const timeoutMs = 1_000;

/** Asks the pool-manager and the scheduler, both at once, one call each. */
export function statusSource(poolChannel: Channel, schedulerChannel: Channel, logger: Logger): StatusSource {
  const pools = createClient(pool.PoolServiceDefinition, poolChannel, { timeoutMs });
  const queues = createClient(scheduler.SchedulerServiceDefinition, schedulerChannel, { timeoutMs });
  const away = (service: string) => (error: unknown) => {
    logger.debug({ err: error, service }, "a service doesn't answer");
    return undefined;
  };
  return {
    async read() {
      const [poolAnswer, queueAnswer] = await Promise.all([
        pools.getStatus({}).then(poolStatus).catch(away("pool-manager")),
        queues.getQueueStatus({}).then(queueStatus).catch(away("scheduler")),
      ]);
      return { pool: poolAnswer, queue: queueAnswer };
    },
  };
}

function poolStatus(wire: pool.GetStatusResponse): PoolStatus {
  return {
    revision: Number(wire.revision),
    running: Number(wire.runningCount),
    started: Number(wire.startedCount),
    drift: Number(wire.drift),
    limits: wire.limits.map(({ limit, used, capacity, overCommitted }) => ({
      limit,
      used: Number(used),
      capacity: Number(capacity),
      overCommitted: Number(overCommitted),
    })),
    pools: wire.pools.map(({ pool: name, runningCount }) => ({ pool: name, running: Number(runningCount) })),
  };
}

function queueStatus({ queueSize, averageWait, assignmentsTotal }: scheduler.GetQueueStatusResponse): QueueStatus {
  return {
    queueSize: Number(queueSize),
    averageWaitMs: averageWait && Number(averageWait.seconds) * 1_000 + averageWait.nanos / 1e6,
    assignmentsTotal: Number(assignmentsTotal),
  };
}
