import type { Registry } from "prom-client";
import type { Clock } from "../clock/index.js";
import type { Secret } from "../config/index.js";
import type { EngineState, EngineStore, Leader } from "../engine/index.js";
import type { GrpcBounds, GrpcServer } from "../grpc/index.js";
import type { RouteHandler } from "../http/index.js";
import type { Component, Fail, Part } from "../lifecycle/index.js";
import type { Logger } from "../log/index.js";
import type { Telemetry } from "../telemetry/index.js";

/** Settings that every service has. */
export interface ShellSettings extends Partial<GrpcBounds> {
  /** Address to listen on, gRPC and HTTP. */
  readonly host: string;
  /** gRPC port; 0 takes a free one. */
  readonly port: number;
  /** HTTP port; 0 takes a free one. */
  readonly httpPort: number;
  /** Further names under which HTTP is asked for. */
  readonly allowedHosts: readonly string[];
  /** Token that callers of mutations bring; absent: none. */
  readonly token?: Secret | undefined;
  /** Where there is one, several processes of a service may run, of which one leads. */
  readonly database?: Secret | undefined;
}

/** What every service is made of. */
export interface ServiceOptions<Config> {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: off. */
  readonly telemetry?: Telemetry;
  /** Exports `process_*` and `nodejs_*` too; false where another service of the same process does. Default: true. */
  readonly processMetrics?: boolean;
  /** Called once when the service can't go on: the process must exit. Needed where something leads. */
  readonly onFailed?: Fail;
}

/** What the shell hands to a service that is being composed. */
export interface Shell {
  /** Where its metrics go. */
  readonly metrics: Registry;
  /** Gets its services, before it listens. */
  readonly grpc: GrpcServer;
  /** gRPC as a part: what stands before it in {@link ServiceBody.serve} is there before the first call, what stands behind it ends before the last. */
  readonly listening: Component;
  readonly telemetry: Telemetry;
  /** The token that the settings name. */
  readonly token: string | undefined;
}

/** What is a service's own. */
export interface ServiceBody {
  /** What it stands on, such as stores and channels, whether it leads or not: begun first, ended last. */
  readonly base?: readonly Part[];
  /** What leads; absent where any number of processes may do the work. Ended by the shell. */
  readonly lead?: {
    readonly leader: Leader & { stop(): Promise<void> };
    readonly store: Pick<EngineStore<never, never>, "position">;
    /** A standby leads when the leader row has stood still for so long; milliseconds. */
    readonly takeoverMs: number;
  };
  /** The parts that do the work, `listening` among them, made when this process leads: begun in order, ended in reverse. */
  readonly serve: () => readonly Part[];
  /** State of its engine: the process is unready while it doesn't run. */
  readonly engine?: () => EngineState;
  /** Checks of what it depends on but can do without for a while: `ok` or what is wrong. Exported as `berth_dependency_up`. */
  readonly needs?: () => Readonly<Record<string, string>>;
  /** Further checks, shown in `/readyz` only. */
  readonly checks?: () => Readonly<Record<string, string>>;
  /** Whether it can do its work, as far as the shell doesn't see it itself. Default: it can. */
  readonly able?: () => boolean;
  /** Awaited before `/metrics` is answered by the process that leads. */
  readonly refreshMetrics?: () => Promise<void>;
  /** Further HTTP paths, matched exactly; they win over the shell's. */
  readonly routes?: Readonly<Record<string, RouteHandler>>;
}
