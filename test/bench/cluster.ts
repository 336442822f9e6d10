import { join } from "node:path";
import { openBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { Secret } from "@berth/chassis/config";
import { createLogger } from "@berth/chassis/log";
import { createClient } from "@berth/client";
import type { Handler } from "@berth/runner";
import { type Cluster, startCluster } from "@berth/testkit";
import { connect } from "nats";
import { Client } from "pg";
import { root, scratchFolder } from "../integration/harness/berth.js";
import type { AtRest } from "./at-rest.js";
import { descendantsOf } from "./cpu.js";
import { benchProcesses, type Outside, type System, startRunner } from "./system.js";

/** PostgreSQL's sessions tell what they did at most once a second. */
const statisticsMs = 1_500;
const services = {
  registry: "registry",
  poolManager: "pool-manager",
  scheduler: "scheduler",
  metrics: "metrics",
} as const;

/** Starts four services as processes on a nats-server and a PostgreSQL of their own. Otherwise as startSystem. */
export async function startClusterSystem(
  slots: number,
  limits: Readonly<Record<string, number>>,
  handler: Handler,
): Promise<System> {
  const folder = scratchFolder();
  const { global = slots, ...named } = limits;
  const cluster = await startCluster({
    root,
    folder: join(folder.path, "cluster"),
    runners: 0,
    restartMs: undefined,
    settings: {
      registry: { "--log-level": "warn" },
      scheduler: { "--log-level": "warn" },
      metrics: { "--log-level": "warn" },
      "pool-manager": {
        "--log-level": "warn",
        "--global-capacity": String(global),
        "--pools": `{bench: {type: remote, maxConcurrency: ${slots}}}`,
        "--limits": JSON.stringify(named),
      },
    },
  });
  const client = createClient({ addresses: cluster.addresses, token: cluster.token });
  const logger = createLogger({ service: "bench", level: "warn" });
  const bus = await openBus(
    { bus: new Secret(cluster.busOf("runner")), busPrefix: "berth", busDrop: 0 },
    { clock: systemClock, logger, name: "bench" },
  );
  const runner = await startRunner(client, { dataFolder: join(folder.path, "runner"), slots, handler, bus });
  const pidOf = (name: string) => cluster.members.find(({ service }) => service === name)?.part.pid ?? 0;
  return {
    berth: {
      client,
      http: (service) => cluster.members.find((member) => member.service === services[service])?.http ?? "",
    },
    runner,
    processes: () => {
      const parts = Object.values(services).map((name) => [name, [pidOf(name)]] as const);
      const servers = {
        "nats-server": descendantsOf(cluster.nats.pid ?? 0),
        PostgreSQL: descendantsOf(cluster.postgres.pid ?? 0),
      };
      const others = new Set([...parts.flatMap(([, pids]) => pids), ...Object.values(servers).flat()]);
      return { bench: benchProcesses().filter((pid) => !others.has(pid)), ...Object.fromEntries(parts), ...servers };
    },
    outside: () => outside(cluster),
    async stop() {
      await runner.stop();
      await bus.close();
      client.close();
      const atRest = await readPostgres(cluster);
      await cluster.stop();
      folder.remove();
      return atRest;
    },
  };
}

async function asked<Answer>(cluster: Cluster, ask: (database: Client) => Promise<Answer>): Promise<Answer> {
  const database = new Client({ connectionString: cluster.postgres.url });
  await database.connect();
  try {
    return await ask(database);
  } finally {
    await database.end();
  }
}

async function outside(cluster: Cluster): Promise<Outside> {
  await new Promise((resolve) => setTimeout(resolve, statisticsMs));
  const { rows } = await asked(cluster, (database) =>
    database.query<{ name: string; written: string }>(
      "SELECT schemaname || '.' || relname AS name, n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_user_tables",
    ),
  );
  const { username: user, password: pass, host } = new URL(cluster.busOf("runner"));
  const connection = await connect({ servers: host, user, pass, inboxPrefix: `_INBOX_${user}` });
  try {
    const { state } = await (await connection.jetstreamManager({ checkAPI: false })).streams.info("BERTH_berth");
    const busMessages = state.last_seq;
    return { rows: new Map(rows.map(({ name, written }) => [name, Number(written)])), busMessages };
  } finally {
    await connection.close();
  }
}

/** As readAtRest, from PostgreSQL. */
function readPostgres(cluster: Cluster): Promise<AtRest> {
  return asked(cluster, async (database) => {
    const one = async (sql: string) => (await database.query<Record<string, string>>(sql)).rows[0] ?? {};
    const counts = {
      ...(await one(
        `SELECT count(*) AS tasks, count(*) FILTER (WHERE state = 'SUCCEEDED') AS succeeded,
           count(*) FILTER (WHERE json_array_length(body::json -> 1) = 1) AS "attemptedOnce" FROM berth_registry.tasks`,
      )),
      ...(await one(
        `SELECT count(*) AS leases, count(*) FILTER (WHERE body::json ->> 'reason' = 'COMPLETED') AS completed FROM berth_pool_manager.lease`,
      )),
    };
    return Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, Number(count)]),
    ) as unknown as AtRest;
  });
}
