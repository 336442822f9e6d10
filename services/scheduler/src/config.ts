import { addresses, bytes, doorSettings, duration, secret } from "@berth/chassis/config";
import { grpcBoundsShape } from "@berth/chassis/grpc";
import { databaseSchema, databaseUrl } from "@berth/chassis/postgres";
import { z } from "zod";
import { policyNames } from "./domain/policy.js";

const port = z.int().min(0).max(65_535);

/** Settings of the scheduler. Environment: `BERTH_` and the name in upper case with `_` between the words. */
export const schedulerConfigSchema = z.strictObject({
  /** Address to listen on, gRPC and HTTP. */
  host: z.string().min(1).default("127.0.0.1"),
  /** gRPC port; 0 takes a free one. */
  port: port.default(50_053),
  /** HTTP port for metrics and health; 0 takes a free one. */
  httpPort: port.default(9_153),
  /** Further names under which HTTP is asked for, such as that of a container; the port may be left out. */
  allowedHosts: z.array(z.string().min(1).max(255)).max(100).default([]),
  ...grpcBoundsShape,
  /** The registry, host:port; with standbys all of them, with commas. */
  registryAddress: addresses().default("127.0.0.1:50051"),
  /** The pool-manager, likewise. */
  poolManagerAddress: addresses().default("127.0.0.1:50052"),
  /**
   * `postgres://user:password@host:port/database`, for the leader row that lets this process have standbys. Absent: it has none, and nothing
   * else is kept anywhere.
   */
  database: databaseUrl().optional(),
  /** Schema in the database. */
  databaseSchema: databaseSchema("scheduler"),
  /** A standby takes over when the leader has been silent for so long; the same in all processes of the service. Needs a database. */
  takeover: duration({ min: 1_000, max: 600_000 }).default(5_000),
  /** Token for mutations: asked of callers, and sent to the other services. Absent: none. */
  token: secret().optional(),
  ...doorSettings,
  /** Order of trial. */
  policy: z.enum(policyNames).default("priority"),
  /** Most bids of one class that stand at the pool-manager. */
  bidWindow: z.int().min(1).max(10_000).default(256),
  /** Most bids that stand in all, as far as every class may have one. */
  standingBidsMax: z.int().min(1).max(1_000_000).default(50_000),
  /** Most bytes of what to run that are fetched ahead. */
  runCacheBytes: bytes({ min: 1_048_576, max: 8 * 2 ** 30 }).default(64 * 2 ** 20),
  /** Time until a task whose bid was lost or wrong is tried again. */
  aside: duration({ min: 1_000, max: 3_600_000 }).default(30_000),
  /** Least level that is logged. */
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** Checked settings of the scheduler. */
export type SchedulerConfig = Readonly<z.output<typeof schedulerConfigSchema>>;
