// From a task as people write it to a task specification of the wire.
import { registry, runner } from "@berth/contracts";
import { wireDuration } from "../quantities.js";
import { type CheckedDefaults, type CheckedTask, needIds } from "./schema.js";

/**
 * A task with the file's defaults: what the task says wins; labels, env, limits and resources are merged key by key. Pool and
 * skill are one choice: a task that gives either takes neither from the defaults.
 */
export function withDefaults(task: CheckedTask, defaults: CheckedDefaults): CheckedTask {
  const { pool, skill, ...others } = defaults;
  const chosen = task.pool !== undefined || task.skill !== undefined;
  return {
    ...others,
    ...(chosen ? {} : { ...(pool === undefined ? {} : { pool }), ...(skill === undefined ? {} : { skill }) }),
    ...task,
    labels: { ...defaults.labels, ...task.labels },
    env: { ...defaults.env, ...task.env },
    limits: { ...weights(defaults.limits), ...weights(task.limits) },
    resources: { ...defaults.resources, ...task.resources },
  };
}

/** The task specification of one checked task. */
export function toSpec(task: CheckedTask): registry.TaskSpec {
  const timeout = typeof task.timeout === "object" ? task.timeout : { run: task.timeout };
  const retry = typeof task.retry === "number" ? { attempts: task.retry } : task.retry;
  return registry.TaskSpec.fromPartial({
    id: task.id,
    run: {
      kind: kindOf(task),
      env: Object.fromEntries(Object.entries(task.env ?? {}).map(([key, value]) => [key, String(value)])),
      secrets: task.secrets ?? [],
      cwd: task.cwd ?? "",
      stdin: Buffer.from(task.stdin ?? "", "utf8"),
      ...(timeout.run === undefined ? {} : { startToCloseTimeout: wireDuration(timeout.run) }),
      ...(timeout.silence === undefined ? {} : { heartbeatTimeout: wireDuration(timeout.silence) }),
    },
    needs: needIds(task),
    needConditions: needConditions(task),
    pool: task.pool ?? "",
    skill: task.skill ?? "",
    labels: task.labels ?? {},
    priority: task.priority ?? 0,
    tenant: task.tenant ?? "",
    cpuMillis: BigInt(task.resources?.cpu ?? 0),
    memoryBytes: BigInt(task.resources?.memory ?? 0),
    limits: Object.fromEntries(Object.entries(weights(task.limits)).map(([limit, weight]) => [limit, BigInt(weight)])),
    ...(retry === undefined ? {} : { retry: retryPolicy(retry) }),
    ...(timeout.start === undefined ? {} : { scheduleToStartTimeout: wireDuration(timeout.start) }),
  });
}

const conditions = {
  failed: "NEED_CONDITION_FAILED",
  ended: "NEED_CONDITION_ENDED",
} as const satisfies Record<string, registry.TaskSpec_NeedCondition>;

function needConditions({ needs = [] }: CheckedTask): registry.TaskSpec["needConditions"] {
  const pairs = needs.flatMap(({ task, when = "succeeded" }) =>
    when === "succeeded" ? [] : [[task, conditions[when]] as const],
  );
  return Object.fromEntries(pairs);
}

function kindOf(task: CheckedTask): runner.Run["kind"] {
  if (task.handler !== undefined) {
    const payloadJson =
      task.payload === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(task.payload), "utf8");
    return { $case: "handler", value: { name: task.handler, payloadJson } };
  }
  const command = typeof task.run === "string" ? { argv: [], shell: task.run } : { argv: task.run ?? [], shell: "" };
  return { $case: "command", value: runner.Command.fromPartial(command) };
}

function retryPolicy(retry: { attempts?: number; backoff?: number; multiplier?: number; maxBackoff?: number }) {
  return {
    maxAttempts: retry.attempts ?? 0,
    multiplier: retry.multiplier ?? 0,
    ...(retry.backoff === undefined ? {} : { backoff: wireDuration(retry.backoff) }),
    ...(retry.maxBackoff === undefined ? {} : { maxBackoff: wireDuration(retry.maxBackoff) }),
  };
}

function weights(limits: CheckedTask["limits"]): Record<string, number> {
  return Array.isArray(limits) ? Object.fromEntries(limits.map((limit) => [limit, 1])) : (limits ?? {});
}
