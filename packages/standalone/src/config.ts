// berth.yaml: pools, limits, skills, defaults, ports. Strict everywhere.
import { bytes, checkValue, cpu } from "@berth/chassis/config";
import { duration } from "@berth/client/quantities";
import { limitBounds } from "@berth/pool-manager/bounds";
import { z } from "zod";

const name = z.string().regex(/^(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,62}$/, {
  error:
    "isn't a name: write 1 to 63 lower-case letters, digits, '.', '_' or '-', beginning with a letter or digit, without '..'",
});
const limitName = z.string().regex(/^(?!.*\.\.)[a-z0-9][a-z0-9._:-]{0,126}$/, {
  error: "isn't a limit's name: write 1 to 127 lower-case letters, digits, '.', '_', ':' or '-', without '..'",
});
const slot = z.string().regex(/^(?!.*\.\.)[a-zA-Z0-9/][a-zA-Z0-9/._-]{0,254}$/, {
  error:
    "isn't a slot: write 1 to 255 letters, digits, '/', '.', '_' or '-', beginning with a letter, digit or '/', without '..'",
});
const { unitsMax, poolConcurrencyMax, rateMax, ratePeriodMinMs, ratePeriodMaxMs, priorityMax } = limitBounds;
const units = z.int().min(0).max(unitsMax);
const port = z.int().min(0).max(65_535);

/** One pool. */
const poolSchema = z.strictObject({
  type: z
    .enum(["local-process", "remote"], {
      error: ({ input }) =>
        input === "docker" || input === "kubernetes"
          ? `"${input}" isn't built yet: write local-process or remote`
          : undefined,
    })
    .default("local-process")
    .describe("How its runners run their work."),
  maxConcurrency: z.int().min(0).max(poolConcurrencyMax).describe("Most tasks at once."),
  cpu: cpu().optional().describe("Cores to give out; left out, CPU isn't counted."),
  memory: bytes().optional().describe("Memory to give out, such as 8GiB; left out, memory isn't counted."),
  slots: z.array(slot).max(10_000).default([]).describe("Named exclusive places; each task then holds one."),
  skills: z.array(name).max(64).default([]).describe("Skills that the pool offers."),
  paused: z.boolean().default(false).describe("True starts nothing in the pool."),
});

/** One limit: its capacity, or more. */
const limitSchema = z.union(
  [
    units,
    z.strictObject({
      capacity: units.describe("Units there are."),
      reserve: units.default(0).describe("Part that only tasks of at least reservePriority may use."),
      reservePriority: z
        .int()
        .min(-priorityMax)
        .max(priorityMax)
        .default(0)
        .describe("Lowest priority that may use the reserve."),
      rate: z
        .strictObject({
          starts: z.int().min(1).max(rateMax),
          period: duration({ min: ratePeriodMinMs, max: ratePeriodMaxMs }),
        })
        .optional()
        .describe("Most starts, 1 to 10000, within a period of 1s to 24h."),
    }),
  ],
  {
    error:
      "isn't a limit: write a whole capacity of 0 or more, or an object with capacity, reserve, reservePriority and rate",
  },
);

const retrySchema = z.strictObject({
  attempts: z.int().min(1).max(100).default(3).describe("Attempts in all that may fail."),
  backoff: duration({ min: 0 }).prefault("10s").describe("Wait after the first failure."),
  multiplier: z.number().min(1).max(10).default(2).describe("Factor for each further wait."),
  maxBackoff: duration({ min: 0 }).prefault("300s").describe("Longest wait."),
});

const defaultsSchema = z.strictObject({
  policy: z.enum(["priority"]).default("priority").describe("Order of ready tasks: by priority, then first come."),
  retry: retrySchema.prefault({}).describe("Retries of tasks that don't say otherwise."),
  heartbeatTimeout: duration({ min: 1_000, max: 86_400_000 })
    .prefault("60s")
    .describe("Silence after which a runner is lost."),
  killTime: duration({ min: 100, max: 60_000 }).prefault("2s").describe("Time that killing a run may take."),
  timerLateness: duration({ min: 10, max: 10_000 }).prefault("1s").describe("How late a timer may fire."),
  lateResultWait: duration({ min: 0, max: 600_000 })
    .prefault("5s")
    .describe("Wait for a result after a lease expired."),
  gracefulShutdown: duration({ min: 0, max: 86_400_000 })
    .prefault("300s")
    .describe("Longest wait for running tasks at stop."),
  keepFinished: duration({ min: 60_000 }).prefault("30d").describe("How long finished tasks are kept."),
});

const portsSchema = z.strictObject({
  registry: port.default(50_051),
  poolManager: port.default(50_052),
  scheduler: port.default(50_053),
  metrics: port.default(50_054),
  registryHttp: port.default(9_151),
  poolManagerHttp: port.default(9_152),
  schedulerHttp: port.default(9_153),
  metricsHttp: port.default(9_154),
});

const runnerSchema = z.strictObject({
  id: name.default("local").describe("Id of the local runner."),
  capacity: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("Most tasks at once. Default: what the local pools allow together, at least 256."),
  labels: z.record(z.string(), z.string()).default({}).describe("Labels that tasks may ask for."),
  cwd: z.string().min(1).optional().describe("Working directory of tasks that name none. Default: that of `berth up`."),
  secretsFolder: z
    .string()
    .min(1)
    .optional()
    .describe("Folder with a file for each secret that isn't in the environment."),
});

/** Schema of berth.yaml. */
export const berthSchema = z
  .strictObject({
    dataFolder: z
      .string()
      .min(1)
      .default("./berth-data")
      .describe("Where everything is kept; relative to the working directory."),
    ports: portsSchema.prefault({}).describe("Ports on 127.0.0.1; 0 takes a free one."),
    pools: z
      .record(name, poolSchema)
      .default({})
      .describe("Pools by name. Without any there is one, `default`, as large as the global limit."),
    limits: z
      .record(limitName, limitSchema)
      .default({})
      .describe("Capacities by name: `global` (default 10), `tenant:NAME`, and any name of yours such as `api:llm`."),
    skills: z
      .record(name, z.union([name, z.array(name).min(1).max(16)]))
      .default({})
      .describe("Which pool, or pools, offer a skill."),
    defaultPool: name
      .optional()
      .describe("Pool of tasks that name neither pool nor skill. Default: `default`, or the only pool."),
    defaults: defaultsSchema.prefault({}),
    runner: runnerSchema.prefault({}).describe("The local runner, which serves every local-process pool."),
    logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "silent"]).default("info"),
  })
  .superRefine((config, context) => {
    const problem = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    const { heartbeatTimeout, killTime, timerLateness } = config.defaults;
    const ttlMs = (heartbeatTimeout / 1.01 - timerLateness) * 0.99 - killTime;
    if (ttlMs < 500)
      problem(
        ["defaults", "heartbeatTimeout"],
        `leaves a runner ${Math.round(ttlMs)} ms between two answers, after killTime and timerLateness: make it longer, or those shorter`,
      );
    const pools = Object.keys(config.pools).length === 0 ? ["default"] : Object.keys(config.pools);
    const known = `the pools are ${pools.join(", ")}`;
    if (config.defaultPool !== undefined && !pools.includes(config.defaultPool))
      problem(["defaultPool"], `there is no pool "${config.defaultPool}"; ${known}`);
    for (const [skill, given] of Object.entries(config.skills))
      for (const pool of [given].flat())
        if (!pools.includes(pool)) problem(["skills", skill], `there is no pool "${pool}"; ${known}`);
    for (const limit of Object.keys(config.limits)) {
      if (limit.startsWith("pool:")) problem(["limits", limit], "a pool's limit is its maxConcurrency, under pools");
      if (limit.startsWith("runner:")) problem(["limits", limit], "a runner's limit is its own capacity");
    }
    for (const [limit, given] of Object.entries(config.limits))
      if (typeof given === "object" && given.reserve > given.capacity)
        problem(["limits", limit, "reserve"], `${given.reserve} is above the capacity, ${given.capacity}`);
  });

/** berth.yaml as people write it. */
export type BerthConfigInput = z.input<typeof berthSchema>;
/** berth.yaml, checked and filled in; durations in milliseconds, sizes in bytes, processors in thousandths of a core. */
export type BerthConfig = z.output<typeof berthSchema>;

/** Checks a configuration given as a value, and fills it in; throws a ConfigError that names all that is wrong. */
export function parseConfig(input: BerthConfigInput = {}): BerthConfig {
  return checkValue(input, berthSchema, "configuration");
}

/** A pool as the catalogue has it. */
export interface DeclaredPool {
  readonly pool: string;
  readonly type: BerthConfig["pools"][string]["type"];
  readonly maxConcurrency: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly slots: readonly string[];
  readonly skills: readonly string[];
  readonly paused: boolean;
}

/** A limit as the catalogue has it. */
export interface DeclaredLimit {
  readonly limit: string;
  readonly capacity: number;
  readonly reserve: number;
  readonly reservePriority: number;
  readonly rate: number;
  readonly ratePeriodMs: number;
}

/** Global limit where the file gives none. */
export const defaultGlobalLimit = 10;

/** The pools that a configuration declares, skills of the mapping included. Without any: `default`. */
export function declaredPools(config: BerthConfig): DeclaredPool[] {
  const entries = Object.entries(config.pools);
  const global = declaredLimits(config)[0]?.capacity ?? defaultGlobalLimit;
  if (entries.length === 0)
    entries.push(["default", poolSchema.parse({ maxConcurrency: Math.min(global, 1_000_000) })]);
  return entries.map(([pool, given]) => {
    const mapped = Object.entries(config.skills).filter(([, pools]) => [pools].flat().includes(pool));
    return {
      pool,
      type: given.type,
      maxConcurrency: given.maxConcurrency,
      cpuMillis: given.cpu ?? 0,
      memoryBytes: given.memory ?? 0,
      slots: given.slots,
      skills: [...new Set([...given.skills, ...mapped.map(([skill]) => skill)])].sort(),
      paused: given.paused,
    };
  });
}

/** The limits that a configuration declares; `global` first, with its default. */
export function declaredLimits(config: BerthConfig): DeclaredLimit[] {
  const all: BerthConfig["limits"] = { global: defaultGlobalLimit, ...config.limits };
  return Object.entries(all).map(([limit, given]) => {
    if (typeof given === "number")
      return { limit, capacity: given, reserve: 0, reservePriority: 0, rate: 0, ratePeriodMs: 0 };
    const { capacity, reserve, reservePriority, rate } = given;
    return { limit, capacity, reserve, reservePriority, rate: rate?.starts ?? 0, ratePeriodMs: rate?.period ?? 0 };
  });
}

/** Pool of tasks that name neither pool nor skill; empty if there is none that goes without saying. */
export function defaultPool(config: BerthConfig): string {
  const pools = declaredPools(config).map((each) => each.pool);
  return config.defaultPool ?? (pools.includes("default") ? "default" : pools.length === 1 ? (pools[0] ?? "") : "");
}

/** Least that the local runner takes at once where the file doesn't say: pools may grow at run time, and it shouldn't hold them back. */
const localCapacityMin = 256;

/** How many tasks the local runner takes at once, where its pools allow `together`. */
export function localCapacity(config: BerthConfig, together: number): number {
  return config.runner.capacity ?? Math.max(localCapacityMin, Math.min(together, 10_000));
}
