import type { CatalogueIndex } from "./catalogue.js";
import type { RunInput, TaskInput } from "./submission.js";
import type { Retry } from "./task.js";
import { quote, type Violations } from "./violations.js";

/** Bounds of one task. */
export const specBounds = {
  needs: 1_000,
  labels: 16,
  limits: 16,
  argv: 1_024,
  env: 256,
  secrets: 64,
  payloadBytes: 256 * 1024,
  timeoutMs: 30 * 24 * 3_600_000,
  killGraceMs: 60_000,
  logLimitBytes: 16 * 1024 * 1024,
};

/** What applies where a submission says nothing. */
export interface SubmitDefaults {
  readonly pool: string;
  readonly retry: Retry;
}

/** Checks one task by itself and against the catalogue; `at` is its path, such as `tasks[3]`. */
export function checkSpec(
  found: Violations,
  at: string,
  task: TaskInput,
  catalogue: CatalogueIndex,
  defaults: SubmitDefaults,
): void {
  found.name(`${at}.id`, task.id, "task");
  found.atMost(`${at}.needs`, task.needs.length, specBounds.needs, "needs");
  found.whole(`${at}.priority`, task.priority, -1_000, 1_000);
  if (task.tenant !== "") found.name(`${at}.tenant`, task.tenant);
  checkLabels(found, at, task);
  checkRetry(found, `${at}.retry`, task);
  checkDuration(found, `${at}.schedule_to_start_timeout`, task.startTimeoutMs);
  checkRun(found, `${at}.run`, task.run);
  const pools = checkPools(found, at, task, catalogue, defaults);
  checkResources(found, at, task, pools, catalogue);
  checkLimits(found, at, task, catalogue);
}

/** Acceptable pools: the one asked for, or all that offer the skill, or the default pool. */
export function resolvePools(
  task: Pick<TaskInput, "pool" | "skill">,
  catalogue: CatalogueIndex,
  defaults: SubmitDefaults,
): readonly string[] {
  if (task.pool !== "") return [task.pool];
  if (task.skill !== "") return catalogue.offering(task.skill).slice(0, 16);
  return [defaults.pool];
}

/** Name of a pool or limit that the catalogue doesn't know, if the submission uses one: a reason to read the catalogue again. */
export function firstUnknown(
  tasks: readonly TaskInput[],
  catalogue: CatalogueIndex,
  defaults: SubmitDefaults,
): string | undefined {
  for (const task of tasks) {
    if (task.skill !== "" && catalogue.offering(task.skill).length === 0) return task.skill;
    const pool = resolvePools(task, catalogue, defaults).find((name) => !catalogue.pool(name));
    if (pool !== undefined) return pool;
    for (const [limit, weight] of Object.entries(task.limits)) {
      const capacity = catalogue.capacity(limit);
      if (capacity === undefined || weight > capacity) return limit;
    }
  }
  return undefined;
}

function checkPools(
  found: Violations,
  at: string,
  task: TaskInput,
  catalogue: CatalogueIndex,
  defaults: SubmitDefaults,
): readonly string[] {
  const known = (): string =>
    catalogue.poolNames.length > 0 ? `there are ${catalogue.poolNames.slice(0, 10).join(", ")}` : "there are none";
  if (task.skill !== "" && !found.name(`${at}.skill`, task.skill)) return [];
  if (task.pool !== "" && !found.name(`${at}.pool`, task.pool)) return [];
  if (task.pool !== "" && !catalogue.pool(task.pool)) {
    found.add(`${at}.pool`, `there is no pool ${quote(task.pool)}: ${known()}; create it first, or choose another`);
    return [];
  }
  if (task.pool !== "" && task.skill !== "" && !catalogue.pool(task.pool)?.skills.includes(task.skill)) {
    found.add(
      `${at}.skill`,
      `pool ${task.pool} doesn't offer the skill ${quote(task.skill)}: leave one of the two out`,
    );
  }
  const pools = resolvePools(task, catalogue, defaults);
  if (pools.length === 0)
    found.add(`${at}.skill`, `no pool offers the skill ${quote(task.skill)}: add it to the skills of a pool`);
  else if (task.pool === "" && task.skill === "" && !catalogue.pool(defaults.pool)) {
    found.add(
      `${at}.pool`,
      `the task names no pool, and the default pool ${quote(defaults.pool)} doesn't exist: ${known()}`,
    );
    return [];
  }
  return pools;
}

function checkResources(
  found: Violations,
  at: string,
  task: TaskInput,
  pools: readonly string[],
  catalogue: CatalogueIndex,
): void {
  for (const [field, key, unit] of [
    ["cpu_millis", "cpuMillis", "thousandths of a core"],
    ["memory_bytes", "memoryBytes", "bytes"],
  ] as const) {
    if (!found.whole(`${at}.${field}`, task[key], 0, Number.MAX_SAFE_INTEGER) || task[key] === 0 || pools.length === 0)
      continue;
    const most = Math.max(...pools.map((name) => catalogue.pool(name)?.[key] || Number.MAX_SAFE_INTEGER));
    if (task[key] > most)
      found.add(`${at}.${field}`, `${task[key]} ${unit} are more than pool ${pools.join(", ")} has in all: ${most}`);
  }
}

function checkLimits(found: Violations, at: string, task: TaskInput, catalogue: CatalogueIndex): void {
  const entries = Object.entries(task.limits);
  found.atMost(`${at}.limits`, entries.length, specBounds.limits, "limits");
  for (const [limit, weight] of entries) {
    const field = `${at}.limits[${quote(limit)}]`;
    if (!found.name(field, limit, "limit")) continue;
    if (limit === "global" || /^(pool|runner|tenant):/.test(limit)) {
      found.add(field, "is counted automatically and can't be named by a task: remove it");
      continue;
    }
    if (!found.whole(field, weight, 1, Number.MAX_SAFE_INTEGER)) continue;
    const capacity = catalogue.capacity(limit);
    if (capacity === undefined) found.add(field, `there is no limit ${limit}: create it first`);
    // A capacity of 0 is a limit that somebody has closed for now: work may wait for it.
    else if (capacity > 0 && weight > capacity)
      found.add(field, `weighs ${weight}, limit ${limit} has ${capacity} in all: lower the weight or raise the limit`);
  }
}

function checkLabels(found: Violations, at: string, { labels }: TaskInput): void {
  const entries = Object.entries(labels);
  found.atMost(`${at}.labels`, entries.length, specBounds.labels, "labels");
  for (const [key, value] of entries) {
    found.name(`${at}.labels[${quote(key)}]`, key, "limit");
    found.atMost(`${at}.labels[${quote(key)}]`, value.length, 128, "characters");
  }
}

function checkRetry(found: Violations, at: string, { retry }: TaskInput): void {
  if (retry.maxAttempts !== 0) found.whole(`${at}.max_attempts`, retry.maxAttempts, 1, 100);
  if (retry.multiplier !== 0)
    found.that(
      retry.multiplier >= 1 && retry.multiplier <= 10,
      `${at}.multiplier`,
      () => `${retry.multiplier} is out of bounds: a number from 1 to 10 is needed`,
    );
  for (const [field, value] of [
    ["backoff", retry.backoffMs],
    ["max_backoff", retry.maxBackoffMs],
  ] as const) {
    if (value !== undefined)
      found.that(
        value >= 0 && value <= specBounds.timeoutMs,
        `${at}.${field}`,
        () => `${value / 1_000} s is out of bounds: 0 s to 30 days`,
      );
  }
}

function checkDuration(found: Violations, field: string, ms: number | undefined, mostMs = specBounds.timeoutMs): void {
  if (ms === undefined) return;
  found.that(
    ms > 0 && ms <= mostMs,
    field,
    () => `${ms / 1_000} s is out of bounds: more than 0 s and at most ${mostMs / 1_000} s`,
  );
}

function checkRun(found: Violations, at: string, run: RunInput | undefined): void {
  if (!run || run.kind === "none") return found.add(at, "is missing: set exactly one of command and handler");
  if (run.kind === "command") {
    if (run.argv.length > 0 === (run.shell !== "")) found.add(`${at}.command`, "set exactly one of argv and shell");
    found.atMost(`${at}.command.argv`, run.argv.length, specBounds.argv, "items");
    found.that(run.argv[0] !== "", `${at}.command.argv[0]`, () => "is empty: it names the program");
  } else {
    found.that(
      run.handler.length >= 1 && run.handler.length <= 128,
      `${at}.handler.name`,
      () => `${run.handler.length} characters: 1 to 128 are needed`,
    );
    found.atMost(`${at}.handler.payload_json`, run.payloadBytes, specBounds.payloadBytes, "bytes");
    found.that(
      run.payloadBytes > specBounds.payloadBytes || isJson(run.payload),
      `${at}.handler.payload_json`,
      () => `${quote(run.payload)} isn't JSON`,
    );
  }
  const env = Object.entries(run.env);
  found.atMost(`${at}.env`, env.length, specBounds.env, "variables");
  for (const [key] of env) found.name(`${at}.env[${quote(key)}]`, key, "variable");
  found.atMost(`${at}.secrets`, run.secrets.length, specBounds.secrets, "secrets");
  run.secrets.forEach((name, index) => void found.name(`${at}.secrets[${index}]`, name, "variable"));
  found.atMost(`${at}.cwd`, run.cwd.length, 4_096, "characters");
  found.atMost(`${at}.stdin`, run.stdinBytes, specBounds.payloadBytes, "bytes");
  checkDuration(found, `${at}.start_to_close_timeout`, run.startToCloseMs);
  checkDuration(found, `${at}.heartbeat_timeout`, run.heartbeatMs);
  if (run.killGraceMs !== 0) checkDuration(found, `${at}.kill_grace`, run.killGraceMs, specBounds.killGraceMs);
  found.whole(`${at}.log_limit_bytes`, run.logLimitBytes, 0, specBounds.logLimitBytes);
}

function isJson(text: string): boolean {
  if (text === "") return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
