import { busSettings } from "@berth/chassis/bus";
import { addresses, bytes, doorSettings, duration, secret } from "@berth/chassis/config";
import { grpcBoundsShape } from "@berth/chassis/grpc";
import { databaseSchema, databaseUrl } from "@berth/chassis/postgres";
import { z } from "zod";
import type { CoreSettings } from "./domain/transition.js";

const port = z.number().int().min(0).max(65_535);

/** Settings of the registry; every default is stated here. */
export const registryConfigSchema = z.strictObject({
  /** Address to listen on. */
  host: z.string().default("127.0.0.1"),
  /** gRPC port; 0 takes a free one. */
  port: port.default(50_051),
  /** Port of /healthz, /readyz and /metrics; 0 takes a free one. */
  httpPort: port.default(9_151),
  /** Further names under which HTTP is asked for, such as that of a container; the port may be left out. */
  allowedHosts: z.array(z.string().min(1).max(255)).max(100).default([]),
  ...grpcBoundsShape,
  /** Folder of registry.db and registry-logs.db, where there is no database. Its lock is the caller's business. */
  dataFolder: z.string().min(1).default("data/registry"),
  /** `postgres://user:password@host:port/database`; absent: SQLite in the data folder. */
  database: databaseUrl().optional(),
  /** Schema in the database. */
  databaseSchema: databaseSchema("registry"),
  /** The pool-manager's gRPC address; with standbys all of them, with commas. */
  poolManagerAddress: addresses().default("127.0.0.1:50052"),
  /** Pool of tasks that name neither pool nor skill. */
  defaultPool: z.string().min(1).default("default"),
  /** What applies to tasks that don't say. */
  retry: z
    .strictObject({
      maxAttempts: z.number().int().min(1).max(100).default(3),
      backoff: duration().default(10_000),
      multiplier: z.number().min(1).max(10).default(2),
      maxBackoff: duration().default(300_000),
    })
    .prefault({}),
  /** Lost runners that a task survives. */
  runnerLossLimit: z.number().int().min(0).max(1_000).default(10),
  /** Attempts without a result (not started, stopped, revoked) that a task survives between two failures. */
  noResultLimit: z.number().int().min(0).max(100_000).default(100),
  /** Days for which finished tasks and their output are kept. */
  retentionDays: z.number().min(0).max(3_650).default(30),
  /** Bytes of output kept of an attempt that doesn't say. */
  logLimit: bytes({ min: 1_024, max: 16 * 1024 * 1024 }).default(1024 * 1024),
  /** Free space of the data folder below which submissions are refused. */
  freeSpaceMin: bytes().default(64 * 1024 * 1024),
  /** A standby takes over when the leader has been silent for so long; the same in all processes of the service. Needs a database. */
  takeover: duration({ min: 1_000, max: 600_000 }).default(5_000),
  ...busSettings,
  /** Token that mutations must bring, and that is brought to the pool-manager. */
  token: secret().optional(),
  ...doorSettings,
  /** Least level that is logged. */
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** Checked settings. */
export type RegistryConfig = z.output<typeof registryConfigSchema>;

/** What the rules need of the settings. */
export function coreSettingsOf({ defaultPool, retry, runnerLossLimit, noResultLimit }: RegistryConfig): CoreSettings {
  const { maxAttempts, backoff, multiplier, maxBackoff } = retry;
  return {
    pool: defaultPool,
    retry: { maxAttempts, backoffMs: backoff, multiplier, maxBackoffMs: maxBackoff },
    runnerLossLimit,
    noResultLimit,
  };
}
