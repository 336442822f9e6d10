import { addresses, doorSettings, duration, secret } from "@berth/chassis/config";
import { grpcBoundsShape } from "@berth/chassis/grpc";
import { databaseSchema, databaseUrl } from "@berth/chassis/postgres";
import { z } from "zod";
import type { Retention } from "./engine/store.js";

const port = z.int().min(0).max(65_535);
const dayMs = 86_400_000;

/** Settings of the metrics service. Environment: `BERTH_` and the name in upper case with `_` between the words. */
export const metricsConfigSchema = z.strictObject({
  /** Address to listen on, gRPC and HTTP. */
  host: z.string().min(1).default("127.0.0.1"),
  /** gRPC port; 0 takes a free one. */
  port: port.default(50_054),
  /** HTTP port for metrics and health; 0 takes a free one. */
  httpPort: port.default(9_154),
  /** Further names under which HTTP is asked for, such as that of a container; the port may be left out. */
  allowedHosts: z.array(z.string().min(1).max(255)).max(100).default([]),
  ...grpcBoundsShape,
  /** The pool-manager, host:port; with standbys all of them, with commas. */
  poolManagerAddress: addresses().default("127.0.0.1:50052"),
  /** The scheduler, likewise. */
  schedulerAddress: addresses().default("127.0.0.1:50053"),
  /** Folder of `metrics.db`, where there is no database. */
  dataFolder: z.string().min(1).default("data"),
  /** `postgres://user:password@host:port/database`; absent: SQLite in the data folder. */
  database: databaseUrl().optional(),
  /** Schema in the database. */
  databaseSchema: databaseSchema("metrics"),
  /** Token that callers of mutations must bring; there are none yet. */
  token: secret().optional(),
  ...doorSettings,
  /** Time between two rounds of samples. */
  sampleInterval: duration({ min: 100, max: 3_600_000 }).default(5_000),
  /** How long single samples are kept. */
  keepSamples: duration({ min: 60_000, max: 30 * dayMs }).default(dayMs),
  /** How long minutes are kept. */
  keepMinutes: duration({ min: 60_000, max: 3_650 * dayMs }).default(30 * dayMs),
  /** Least level that is logged. */
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** Checked settings of the metrics service. */
export type MetricsConfig = Readonly<z.output<typeof metricsConfigSchema>>;

/** How long history of both kinds is kept; minutes no shorter than what they are made of. */
export function retentionOf({ keepSamples, keepMinutes }: MetricsConfig): Retention {
  return { rawMs: keepSamples, minutesMs: Math.max(keepSamples, keepMinutes) };
}
