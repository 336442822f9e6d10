import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type NatsServer, startNats } from "../nats.js";
import { freePort } from "../port.js";
import { type PostgresServer, startPostgres } from "../postgres.js";
import { Part } from "./process.js";

/** The services; each of the first three may have a standby. */
export const serviceNames = ["registry", "pool-manager", "scheduler", "metrics"] as const;
/** One of them. */
export type ServiceName = (typeof serviceNames)[number];

/** Users of NATS, as deploy/nats/nats.conf names them. */
const busRoles = ["pool-manager", "registry", "runner"] as const;
/** One of them. */
export type BusRole = (typeof busRoles)[number];

/** How a cluster is started. */
export interface ClusterOptions {
  /** The repository, built. */
  readonly root: string;
  /** Where everything is kept; made if absent. */
  readonly folder: string;
  /** Second processes of registry, pool-manager and scheduler. Default: false. */
  readonly standbys?: boolean;
  /** Runners. Default: 1. */
  readonly runners?: number;
  /** Pools that they take work from. Default: `default`. */
  readonly pools?: readonly string[];
  /** Most tasks of one runner at once. Default: 4. */
  readonly capacity?: number;
  /** Settings beside those that make it a cluster, by service: `--flag` to value. */
  readonly settings?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
  /** Variables for all processes. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Variables for the runners. */
  readonly runnerEnvironment?: NodeJS.ProcessEnv;
  /** A part that dies is started again, as docker would, after this long; undefined leaves it dead. Default: 500 ms. */
  readonly restartMs?: number | undefined;
  /** Hears of parts that died. */
  readonly onDied?: (part: string, how: string) => void;
}

/** One process of a service. */
export interface Member {
  readonly service: ServiceName;
  readonly part: Part;
  /** gRPC address, `host:port`. */
  readonly grpc: string;
  /** URL of its HTTP port. */
  readonly http: string;
}

/** Four services as processes of their own, on a nats-server and a PostgreSQL of their own. */
export interface Cluster {
  readonly nats: NatsServer;
  readonly postgres: PostgresServer;
  readonly members: readonly Member[];
  readonly runners: readonly Part[];
  readonly token: string;
  /** The nats-server as a role reaches it: with user and password. */
  busOf(role: BusRole): string;
  /** gRPC addresses of a service, with commas. */
  address(service: ServiceName): string;
  /** Those of all services, by the names that clients have for them. */
  readonly addresses: Readonly<Record<"registry" | "poolManager" | "scheduler" | "metrics", string>>;
  /** The process of a service that is ready now; undefined while there is none. */
  leader(service: ServiceName): Promise<Member | undefined>;
  /** Stops everything, in order. */
  stop(): Promise<void>;
}

/** Starts a cluster and waits until each service is ready. @throws Error naming what isn't ready within a minute; all is stopped then. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { folder, root, standbys = false, runners = 1, pools = ["default"], capacity = 4 } = options;
  mkdirSync(folder, { recursive: true });
  const token = randomBytes(24).toString("base64url");
  const users = Object.fromEntries(busRoles.map((role) => [role, randomBytes(24).toString("hex")]));
  const environment = Object.fromEntries(
    // In quotation marks: NATS takes digits alone for a number.
    busRoles.map((role) => [`NATS_${role.replace("-", "_").toUpperCase()}_PASSWORD`, `"${users[role]}"`]),
  );
  const accounts = { file: join(root, "deploy/nats/nats.conf"), environment };
  const nats = await startNats({ folder: join(folder, "nats"), accounts });
  const busOf = (role: BusRole): string => nats.url.replace("//", `//${role}:${users[role]}@`);
  const postgres = await startPostgres({ folder: join(folder, "postgres") }).catch(async (error: unknown) => {
    await nats.stop();
    throw error;
  });
  const ports: { service: ServiceName; index: number; grpc: number; http: number }[] = [];
  for (const service of serviceNames)
    for (let index = 0; index < (standbys && service !== "metrics" ? 2 : 1); index++)
      ports.push({ service, index, grpc: await freePort(), http: await freePort() });
  const address = (service: ServiceName): string =>
    ports
      .filter((each) => each.service === service)
      .map(({ grpc }) => `127.0.0.1:${grpc}`)
      .join(",");
  // Settings of somebody's shell aren't meant for these.
  const outer = Object.entries(process.env).filter(([name]) => !name.startsWith("BERTH_"));
  const common = { ...Object.fromEntries(outer), ...options.environment };
  const secrets = { BERTH_TOKEN: token, BERTH_DATABASE: postgres.url };
  const settingsOf = (service: ServiceName): Record<string, string> => ({
    ...(service === "scheduler" ? { "--registry-address": address("registry") } : {}),
    ...(service === "metrics" ? { "--scheduler-address": address("scheduler") } : {}),
    ...(service === "pool-manager" ? {} : { "--pool-manager-address": address("pool-manager") }),
    ...options.settings?.[service],
  });
  const members = ports.map(({ service, index, grpc, http }): Member => {
    const flags = { "--port": String(grpc), "--http-port": String(http), ...settingsOf(service) };
    const name = index === 0 ? service : `${service}-${index + 1}`;
    const args = [join(root, "services", service, "dist/main.js"), ...Object.entries(flags).flat()];
    const bus = service === "registry" || service === "pool-manager" ? { BERTH_BUS: busOf(service) } : {};
    const part = new Part(name, args, { ...common, ...secrets, ...bus }, join(folder, `${name}.log`));
    return { service, part, grpc: `127.0.0.1:${grpc}`, http: `http://127.0.0.1:${http}` };
  });
  const runnerParts = Array.from({ length: runners }, (_, index) => {
    const name = `runner-${index + 1}`;
    const flags = ["--folder", join(folder, name), "--id", name, "--capacity", String(capacity)];
    const where = ["--registry", address("registry"), "--pool-manager", address("pool-manager")];
    const args = [join(root, "packages/cli/dist/main.js"), "runner", ...flags, ...where];
    args.push("--scheduler", address("scheduler"), ...pools.flatMap((pool) => ["--pool", pool]));
    return new Part(
      name,
      args,
      { ...common, ...options.runnerEnvironment, BERTH_API_TOKEN: token, BERTH_BUS: busOf("runner") },
      join(folder, `${name}.log`),
    );
  });
  const cluster = new RunningCluster({ nats, postgres, members, runners: runnerParts, token, busOf, address });
  const all = [...members.map(({ part }) => part), ...runnerParts];
  const restartMs = "restartMs" in options ? options.restartMs : 500;
  for (const part of all)
    part.onDied = (code, signal) => {
      options.onDied?.(part.name, signal ?? `exit code ${code}`);
      if (restartMs !== undefined && !cluster.stopping)
        setTimeout(() => {
          if (!cluster.stopping) part.start();
        }, restartMs);
    };
  try {
    // The first of each before their standbys, so that it is known at the start who leads.
    for (const { part } of members.filter(({ part }) => !/-2$/.test(part.name))) part.start();
    await cluster.allReady();
    for (const { part } of members) part.start();
    for (const part of runnerParts) part.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

const readyMs = 60_000;

class RunningCluster implements Cluster {
  readonly nats: NatsServer;
  readonly postgres: PostgresServer;
  readonly members: readonly Member[];
  readonly runners: readonly Part[];
  readonly token: string;
  readonly busOf: (role: BusRole) => string;
  readonly address: (service: ServiceName) => string;
  stopping = false;

  constructor(parts: Pick<Cluster, "nats" | "postgres" | "members" | "runners" | "token" | "busOf" | "address">) {
    this.nats = parts.nats;
    this.postgres = parts.postgres;
    this.members = parts.members;
    this.runners = parts.runners;
    this.token = parts.token;
    this.busOf = parts.busOf;
    this.address = parts.address;
  }

  get addresses() {
    return {
      registry: this.address("registry"),
      poolManager: this.address("pool-manager"),
      scheduler: this.address("scheduler"),
      metrics: this.address("metrics"),
    };
  }

  async leader(service: ServiceName): Promise<Member | undefined> {
    for (const member of this.members)
      if (member.service === service && member.part.pid !== undefined && (await isReady(member))) return member;
    return undefined;
  }

  async allReady(): Promise<void> {
    const deadline = performance.now() + readyMs;
    for (const service of serviceNames)
      while (!(await this.leader(service))) {
        if (performance.now() > deadline)
          throw new Error(`${service} isn't ready within ${readyMs / 1_000} s; its log says why`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.runners.map((part) => part.stop()));
    await Promise.all(this.members.map(({ part }) => part.stop()));
    await Promise.all([this.nats.stop(), this.postgres.stop()]);
  }
}

async function isReady({ http }: Member): Promise<boolean> {
  try {
    return (await fetch(`${http}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
