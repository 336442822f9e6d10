import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, say } from "../io.js";

/** The commented berth.yaml that `berth init` writes. */
export function sampleConfig(cores: number): string {
  return `# berth.yaml: pools and limits as they are at first. What is changed at run time (berth pool set, berth limit set) is kept in the
# data folder and wins; \`berth apply berth.yaml\` shows the difference to this file and applies it.

# Where everything is kept: SQLite files, the token, the runner's spool. Relative to this file.
dataFolder: ./berth-data

# Most tasks at once, over all pools; and limits of your own, which tasks name with weights.
limits:
  global: 10
  # api:llm: 3                 # at most three tasks that say \`limits: { api:llm: 1 }\`
  # tenant:blue: 4             # at most four tasks of tenant blue
  # disk:
  #   capacity: 8
  #   reserve: 2               # two units only for priority 100 and more
  #   reservePriority: 100
  #   rate: { starts: 30, period: 1m }

# Where tasks run. The local runner serves every pool of type local-process.
pools:
  default:
    maxConcurrency: ${cores}
  # heavy:
  #   maxConcurrency: 2
  #   cpu: 4                   # cores given out; tasks ask with \`resources: { cpu: 2 }\`
  #   memory: 8GiB
  #   slots: [worktree-a, worktree-b]   # named exclusive places, one for each task ($BERTH_SLOT)

# Which pool offers a skill; tasks say \`skill: images\` and don't care where.
# skills:
#   images: heavy

# Pool of tasks that name neither pool nor skill.
defaultPool: default

# What holds where a task says nothing.
defaults:
  policy: priority             # larger priority first, then first come first served
  heartbeatTimeout: 60s        # silence after which a runner is lost
  gracefulShutdown: 300s       # longest wait for running tasks at stop
  keepFinished: 30d            # how long finished tasks are kept
  retry:
    attempts: 3
    backoff: 10s               # then 20s, 40s, ...
    multiplier: 2
    maxBackoff: 300s

# Ports on 127.0.0.1; 0 takes a free one.
# ports:
#   registry: 50051
#   poolManager: 50052
#   scheduler: 50053
#   metrics: 50054
#   registryHttp: 9151
#   poolManagerHttp: 9152
#   schedulerHttp: 9153
#   metricsHttp: 9154
`;
}

/** `berth init`. */
export function init(file: string, options: { force?: boolean; json?: boolean }, io: Io): number {
  if (existsSync(file) && options.force !== true)
    throw new UsageError(`${file} is there already: edit it, or overwrite it with --force`);
  writeFileSync(file, sampleConfig(Math.max(2, availableParallelism())));
  if (options.json === true) printJson(io, { file });
  else {
    say(io, `${file} is written. Next:`);
    const width = hint(io, "run -- echo hello").length;
    say(io, `  ${hint(io, "up").padEnd(width)}  start Berth in this terminal`);
    say(io, `  ${hint(io, "run -- echo hello")}  run a command under its limits, from another one`);
  }
  return 0;
}
