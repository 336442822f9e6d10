import type { runner } from "@berth/contracts";

/** Variables that a run takes over from its runner. A trailing `*` stands for any ending. */
export const defaultEnvAllow: readonly string[] = [
  "PATH",
  "HOME",
  "LANG",
  "LANGUAGE",
  "LC_*",
  "TZ",
  "TMPDIR",
  "USER",
  "SHELL",
  "LOGNAME",
  "TERM",
];

/** Whose run it is, for the variables that every run gets. */
export interface RunnerIdentity {
  /** Runner id. */
  readonly runner: string;
  /** Incarnation of the session: the marker by which leftovers are found. */
  readonly incarnation: string;
}

/**
 * Environment of a run. Later ones win: what the runner's own environment allows, the task's `env`, its secrets, and last Berth's
 * own, which no task can override.
 */
export function runEnvironment(
  work: runner.Work,
  identity: RunnerIdentity,
  own: Readonly<Record<string, string | undefined>>,
  allow: readonly string[],
  secrets: ReadonlyMap<string, string>,
): Record<string, string> {
  const environment: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && isAllowed(name, allow)) environment[name] = value;
  }
  for (const [name, value] of Object.entries(work.run?.env ?? {})) environment[name] = value;
  for (const [name, value] of secrets) environment[name] = value;
  environment.BERTH_TASK = work.task;
  environment.BERTH_ATTEMPT = String(work.attempt);
  environment.BERTH_LEASE = work.lease;
  environment.BERTH_TOKEN = String(work.token);
  environment.BERTH_SLOT = work.slot;
  environment.BERTH_POOL = work.pool;
  environment.BERTH_RUNNER = identity.runner;
  environment.BERTH_RUNNER_INCARNATION = identity.incarnation;
  return environment;
}

function isAllowed(name: string, allow: readonly string[]): boolean {
  return allow.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}
