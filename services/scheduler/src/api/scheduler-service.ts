import type { Clock } from "@berth/chassis/clock";
import { FieldCheck, isName, pageAsked, pageOf, quote, ReasonError, taskIdPattern } from "@berth/chassis/grpc";
import type { pool, registry, scheduler } from "@berth/contracts";
import type { SchedulerCore } from "../domain/core.js";
import { explain } from "../domain/explain.js";
import { explainUnqueued } from "../domain/explain-unqueued.js";
import { aheadOf, inOrder, queueNumbers } from "../domain/look.js";
import { explainTasks } from "./explain-tasks.js";
import { duration, queuedTask, refusalFacts, wireBid } from "./translate.js";

/** What the service asks. */
export interface SchedulerServiceParts {
  readonly core: SchedulerCore;
  readonly clock: Clock;
  /** True while the registry and the pool-manager answer. */
  readonly connected: () => boolean;
  /** What refuses a bid now, asked of the pool-manager. */
  readonly refusalsOf: (bid: pool.Bid) => Promise<pool.Refusal[]>;
  /** A task that isn't queued here, asked of the registry. */
  readonly taskOf: (task: string) => Promise<registry.Task>;
}

/** Answers what waits and why. */
export function schedulerService({
  core,
  clock,
  connected,
  refusalsOf,
  taskOf,
}: SchedulerServiceParts): scheduler.SchedulerServiceImplementation {
  return {
    async getQueueStatus() {
      const numbers = queueNumbers(core);
      const { oldestReadyWallMs, queueSizeByPool } = numbers;
      const averageMs = core.waits.meanMs;
      return {
        policy: core.policy.name,
        queueSize: BigInt(numbers.queueSize),
        queueSizeByPool: Object.fromEntries([...queueSizeByPool].map(([name, size]) => [name, BigInt(size)])),
        oldestWait:
          oldestReadyWallMs === undefined ? undefined : duration(Math.max(0, clock.wallMs() - oldestReadyWallMs)),
        averageWait: averageMs === undefined ? undefined : duration(averageMs),
        assignmentsTotal: BigInt(core.assignmentsTotal),
        standingBids: BigInt(numbers.standingBids),
        classCount: numbers.classCount,
        connected: connected(),
      };
    },

    async listQueuedTasks(request) {
      const { max, behind } = pageAsked(request, ["number", "string"]);
      const found = inOrder(core, max + 1, behind && { rank: behind[0], name: behind[1] }, request.pool);
      const { items, nextPageToken } = pageOf(found, max, ({ rank, name }) => [rank, name]);
      return { tasks: items.map(queuedTask), nextPageToken };
    },

    explainTasks: (request) => explainTasks(core, refusalsOf, request),

    async explainTask({ task }) {
      checkTask(task);
      const entry = core.entries.get(task);
      if (!entry) return { queued: false, ahead: 0n, refusals: [], summary: await unqueued(task, taskOf) };
      const { phase, grant, message } = entry;
      const queued = phase === "waiting" || phase === "standing" || phase === "withdrawing";
      const ahead = queued ? aheadOf(entry) : 0;
      const facts = { phase, ahead, runner: grant?.runner ?? "", message, refusals: [] };
      if (!queued) return { queued: phase === "aside", ahead: 0n, refusals: [], summary: explain(facts) };
      try {
        const refusals = await refusalsOf(wireBid({ task: entry.task, rank: entry.rank }));
        return {
          queued,
          ahead: BigInt(ahead),
          refusals,
          summary: explain({ ...facts, refusals: refusals.map(refusalFacts) }),
        };
      } catch (error) {
        const { message: why } = ReasonError.from(error);
        return {
          queued,
          ahead: BigInt(ahead),
          refusals: [],
          summary: `waits for the pool-manager, which doesn't answer (${why})`,
        };
      }
    },
  };
}

/** Demands `{set}/{task}`. */
function checkTask(task: string): void {
  const [set = "", id = "", ...rest] = task.split("/");
  const ok = isName(set) && isName(id, taskIdPattern) && rest.length === 0;
  new FieldCheck().that(ok, "task", `${quote(task)} isn't a task: {set}/{task} is needed`).throwIfAny();
}

/** What the registry says of a task that isn't queued here. @throws NOT_FOUND if there is none of that name. */
async function unqueued(task: string, taskOf: SchedulerServiceParts["taskOf"]): Promise<string> {
  try {
    const { state, spec, attempt, stateReason, runner, readyTime, startTime, endTime } = await taskOf(task);
    return explainUnqueued({
      state: state.replace(/^STATE_/, ""),
      attempt,
      reason: stateReason,
      needs: spec?.needs ?? [],
      runner,
      readyTime,
      startTime,
      endTime,
    });
  } catch (thrown) {
    const error = ReasonError.from(thrown);
    if (error.reason === "NOT_FOUND") throw error;
    return `isn't queued here; the registry, which knows more, doesn't answer (${error.message})`;
  }
}
