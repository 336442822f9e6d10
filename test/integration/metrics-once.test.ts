import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Cluster, serversAvailable, startCluster } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, root, scratchFolder, startBerth } from "./harness/berth.js";

/** DESIGN, section 7: dashboards depend on them. */
const dispatcherNames = [
  "dispatcher_average_wait_time_seconds",
  "dispatcher_global_running_count",
  "dispatcher_global_utilization",
  "dispatcher_max_global_concurrency",
  "dispatcher_pool_running_count",
  "dispatcher_pool_utilization",
  "dispatcher_queue_size",
  "dispatcher_running_tasks",
  "dispatcher_total_assignments",
];
/** What each service tells of itself under a common name: a sum over the services has a meaning. */
const ofEach = /^(grpc_server_|berth_(engine_|grpc_streams|items_per_message|leading|dependency_up))/;
const ofProcess = /^(process|nodejs)_/;

/** Names of the families of one port. */
async function families(url: string): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name);
}

function counts(ports: readonly (readonly string[])[], pattern: RegExp): Map<string, number> {
  const counted = new Map<string, number>();
  for (const name of ports.flat().filter((one) => pattern.test(one))) counted.set(name, (counted.get(name) ?? 0) + 1);
  return counted;
}

/** What Prometheus, a federation above it, or a sum over all targets would see. */
function expectOnce(ports: readonly (readonly string[])[]): void {
  expect([...counts(ports, /^dispatcher_/)].sort()).toEqual(dispatcherNames.map((name) => [name, 1]));
  const twice = [...counts(ports, /./)].filter(
    ([name, count]) => count > 1 && !ofEach.test(name) && !ofProcess.test(name),
  );
  expect(twice, "families that two services export").toEqual([]);
}

describe("the metrics of a standalone Berth", () => {
  const folder = scratchFolder();
  let berth: Berth;
  let ports: string[][];

  beforeAll(async () => {
    berth = await startBerth(folder.path);
    const services = ["registry", "poolManager", "scheduler", "metrics"] as const;
    ports = await Promise.all(services.map((service) => families(berth.http(service))));
  });
  afterAll(async () => {
    await berth?.stop();
    folder.remove();
  });

  it("have each dispatcher_* name once over all four ports, and nothing that speaks for the whole twice", () => {
    expectOnce(ports);
  });

  it("tell of the process once", () => {
    const process = counts(ports, ofProcess);
    expect(process.get("process_resident_memory_bytes")).toBe(1);
    expect(process.get("nodejs_eventloop_lag_p99_seconds")).toBe(1);
    expect([...process.values()].every((count) => count === 1)).toBe(true);
  });

  it.each(["deploy/prometheus/rules.yml", "deploy/grafana/dashboards/berth.json", "docs/operations.md"])(
    "have every name that %s names",
    (file) => {
      const exported = new Set(ports.flat());
      const named = [
        ...readFileSync(join(root, file), "utf8").matchAll(
          /\b(dispatcher_[a-z_]+|berth_[a-z_]+_total|berth_(?:limit|granting|leading|up|tasks|pool_manager|scheduler|grpc|standing)\w*|(?:process|nodejs)_[a-z_0-9]+)\b/g,
        ),
      ];
      const missing = named.map(([name]) => name).filter((name) => !exported.has(name) && !optional.has(name));
      expect([...new Set(missing)]).toEqual([]);
    },
  );
});

/** A standalone Berth has no standbys; and two that aren't metrics but schemas. */
const optional = new Set(["berth_leading", "berth_pool_manager"]);

const { nats, postgres } = serversAvailable();

describe.skipIf(!nats || !postgres)("the metrics of four processes (needs nats-server and PostgreSQL)", () => {
  const folder = scratchFolder();
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ root, folder: folder.path, runners: 0 });
  });
  afterAll(async () => {
    await cluster?.stop();
    folder.remove();
  });

  it("have each dispatcher_* name once over all four ports, and those of each process on its own", async () => {
    const ports = await Promise.all(cluster.members.map(({ http }) => families(http)));
    expectOnce(ports);
    expect(counts(ports, ofProcess).get("process_resident_memory_bytes")).toBe(4);
  });
});
