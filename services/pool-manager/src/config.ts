import { busSettings } from "@berth/chassis/bus";
import { doorSettings, duration, secret } from "@berth/chassis/config";
import { grpcBoundsShape } from "@berth/chassis/grpc";
import { databaseSchema, databaseUrl } from "@berth/chassis/postgres";
import { z } from "zod";
import { limitBounds } from "./domain/bounds.js";
import type { LimitSpec, PoolSpec } from "./domain/catalogue.js";
import { plainLimit } from "./domain/limits.js";
import { runnerTtlMs } from "./domain/time.js";

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "must be a name: [a-z0-9][a-z0-9._-]{0,62}")
  .refine((text) => !text.includes(".."), 'must not contain ".."');
const limitName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._:-]{0,126}$/, "must be a name: [a-z0-9][a-z0-9._:-]{0,126}")
  .refine(
    (text) => !/^(global$|pool:|runner:)/.test(text),
    "exists automatically: set globalCapacity, or the pool's maxConcurrency",
  );
const units = z.number().int().min(0).max(limitBounds.unitsMax);
const ms = (least: number, most: number) => z.number().int().min(least).max(most);
const dayMs = 86_400_000;

/** A pool of the configuration. */
export const poolConfig = z.strictObject({
  type: z
    .enum(["local-process", "remote"], {
      error: ({ input }) =>
        input === "docker" || input === "kubernetes"
          ? `"${input}" isn't built yet: write local-process or remote`
          : undefined,
    })
    .default("local-process"),
  maxConcurrency: z.number().int().min(0).max(limitBounds.poolConcurrencyMax).default(10),
  cpuMillis: units.default(0),
  memoryBytes: units.default(0),
  slots: z.array(z.string().min(1).max(255)).max(10_000).default([]),
  skills: z.array(name).max(64).default([]),
  paused: z.boolean().default(false),
});

/** Settings of the pool-manager. Pools and limits are created at the first start that names them; later changes at run time win. */
export const poolManagerConfig = z
  .strictObject({
    host: z.string().default("127.0.0.1"),
    port: z.number().int().min(0).max(65_535).default(50_052),
    httpPort: z.number().int().min(0).max(65_535).default(9_152),
    /** Further names under which HTTP is asked for, such as that of a container; the port may be left out. */
    allowedHosts: z.array(z.string().min(1).max(255)).max(100).default([]),
    ...grpcBoundsShape,
    dataFolder: z.string().min(1).default("data/pool-manager"),
    /** `postgres://user:password@host:port/database`; absent: SQLite in the data folder. */
    database: databaseUrl().optional(),
    /** Schema in the database. */
    databaseSchema: databaseSchema("pool_manager"),
    /** A standby takes over when the leader has been silent for so long; the same in all processes of the service. Needs a database. */
    takeover: duration({ min: 1_000, max: 600_000 }).default(5_000),
    ...busSettings,
    /** Token that mutations must bring. */
    token: secret().optional(),
    ...doorSettings,
    globalCapacity: units.default(10),
    pools: z.record(name, poolConfig).default({}),
    limits: z.record(limitName, units).default({}),
    heartbeatTimeoutMs: ms(500, dayMs).default(60_000),
    killTimeMs: ms(0, 600_000).default(2_000),
    timerLatenessMs: ms(0, 600_000).default(1_000),
    lateWaitMs: ms(0, dayMs).default(5_000),
    assignTimeoutMs: ms(100, dayMs).optional(),
    overtakeLimit: z.number().int().min(1).max(1_000_000).default(100),
    rememberedLeases: z.number().int().min(1_000).max(10_000_000).default(200_000),
    standingBidsMax: z.number().int().min(1).max(10_000_000).default(200_000),
    auditMs: ms(100, dayMs).default(10_000),
    retentionMs: z
      .number()
      .int()
      .min(60_000)
      .max(3_650 * dayMs)
      .default(30 * dayMs),
    /** Least level that is logged. */
    logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  })
  .refine((config) => runnerTtlMs(config) > 0, {
    path: ["heartbeatTimeoutMs"],
    message: "leaves a runner no time: it must exceed killTimeMs and timerLatenessMs together by more than 2 %",
  });

/** The settings, checked. */
export type PoolManagerConfig = z.output<typeof poolManagerConfig>;

const types = {
  "local-process": "LOCAL_PROCESS",
  remote: "REMOTE",
} as const;

/** Pools and limits of the configuration as the domain knows them. */
export function seedsOf(config: PoolManagerConfig): { pools: PoolSpec[]; limits: LimitSpec[] } {
  const reason = "set by the configuration";
  const pools = Object.entries(config.pools).map(([pool, spec]) => ({
    ...spec,
    name: pool,
    type: types[spec.type],
    reason,
  }));
  const limits = Object.entries({ global: config.globalCapacity, ...config.limits }).map(([limit, capacity]) => ({
    ...plainLimit(limit, capacity),
    reason,
  }));
  return { pools, limits };
}
