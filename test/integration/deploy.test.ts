import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@berth/client";
import {
  freePort,
  type NatsServer,
  type PostgresServer,
  serversAvailable,
  startNats,
  startPostgres,
} from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, scratchFolder } from "./harness/berth.js";
import { type Running, start } from "./harness/command.js";
import { type Container, readCompose } from "./harness/compose.js";
import { until } from "./harness/until.js";

const { nats: hasNats, postgres: hasPostgres } = serversAvailable();
const services = ["pool-manager", "registry", "scheduler", "metrics"];
const standbys = ["pool-manager-standby", "registry-standby", "scheduler-standby"];
const token = "token-of-the-test";
const busPasswords = { NATS_POOL_MANAGER_PASSWORD: "1", NATS_REGISTRY_PASSWORD: "2", NATS_RUNNER_PASSWORD: "3" };

describe.skipIf(!hasNats || !hasPostgres)("docker-compose.yml, as processes (needs nats-server and PostgreSQL)", () => {
  const scratch = scratchFolder();
  const processes = new Map<string, Running>();
  /** Where the host and port of a container are on this machine. */
  const places = new Map<string, string>();
  let nats: NatsServer;
  let postgres: PostgresServer;
  let containers: Readonly<Record<string, Container>>;

  /** What a container is told, with the places of this machine. */
  function here(text: string): string {
    let told = text
      .replaceAll(/@nats:4222/g, `@${new URL(nats.url).host}`)
      .replaceAll(/postgres:\/\/\S+@postgres:5432\/berth/g, postgres.url)
      .replaceAll("/etc/berth", join(root, "deploy/berth"))
      .replaceAll("/data/", `${scratch.path}/`);
    for (const [place, address] of places) told = told.replaceAll(place, address);
    return told;
  }

  function environmentOf(name: string, { environment = {} }: Container): NodeJS.ProcessEnv {
    const own = Object.entries(environment).map(([key, value]) => [key, here(value)]);
    const outer = Object.entries(process.env).filter(([key]) => !key.startsWith("BERTH_") && !key.startsWith("OTEL_"));
    const ports = { BERTH_HOST: "127.0.0.1", BERTH_PORT: portOf(name, "grpc"), BERTH_HTTP_PORT: portOf(name, "http") };
    const { OTEL_EXPORTER_OTLP_ENDPOINT: _jaeger, ...told } = Object.fromEntries([...outer, ...own]);
    return name === "runner" ? told : { ...told, ...ports };
  }

  const portOf = (name: string, kind: "grpc" | "http") => places.get(`${name} ${kind}`)?.split(":").at(-1);

  function run(name: string): void {
    const container = containers[name] as Container;
    const [program = "", ...args] = (container.command ?? []).map(here);
    const environment = environmentOf(name, container);
    processes.set(name, start(program === "node" ? process.execPath : program, args, { cwd: root, environment }));
  }

  async function healthy(name: string): Promise<boolean> {
    const container = containers[name] as Container;
    const http = /^http:\/\/127\.0\.0\.1:\d+$/;
    const [, program, ...args] = (container.healthcheck?.test ?? []).map((word) =>
      http.test(word) ? `http://127.0.0.1:${portOf(name, "http")}` : word,
    );
    expect(program).toBe("node");
    const { code } = await start(process.execPath, args, { cwd: root, environment: environmentOf(name, container) })
      .ended;
    return code === 0;
  }

  async function healthyAll(names: readonly string[]): Promise<void> {
    for (const name of names)
      await until(`${name} to be healthy`, async () => {
        const { child, out, error } = processes.get(name) as Running;
        if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${out()}${error()}`);
        return healthy(name);
      });
  }

  beforeAll(async () => {
    const secrets = { BERTH_API_TOKEN: token, POSTGRES_PASSWORD: "x", GRAFANA_PASSWORD: "x", ...busPasswords };
    containers = readCompose(secrets).services;
    const { environment: quoted = {} } = containers.nats as Container;
    const accounts = { file: join(root, "deploy/nats/nats.conf"), environment: quoted };
    nats = await startNats({ folder: join(scratch.path, "nats"), accounts });
    postgres = await startPostgres({ folder: join(scratch.path, "postgres") });
    const usual: Record<string, number> = { registry: 50051, "pool-manager": 50052, scheduler: 50053, metrics: 50054 };
    // The longer name first: it begins with the shorter one.
    for (const name of [...standbys, ...services]) {
      const grpc = `127.0.0.1:${await freePort()}`;
      places.set(`${name}:${usual[name.replace("-standby", "")]}`, grpc);
      places.set(`${name} grpc`, grpc);
      places.set(`${name} http`, `127.0.0.1:${await freePort()}`);
    }
    mkdirSync(join(scratch.path, "runner"), { recursive: true });
  });
  afterAll(async () => {
    for (const { child } of processes.values()) child.kill("SIGTERM");
    await Promise.all([...processes.values()].map(({ ended }) => ended));
    await nats?.stop();
    await postgres?.stop();
    scratch.remove();
  });

  it("become healthy by the very health checks, standbys too, and run a task", async () => {
    for (const name of services) {
      run(name);
      await healthyAll([name]);
    }
    for (const name of standbys) run(name);
    run("runner");
    await healthyAll([...standbys, "runner"]);
    const addresses = {
      registry: here("registry:50051,registry-standby:50051"),
      poolManager: here("pool-manager:50052,pool-manager-standby:50052"),
    };
    const client = createClient({ addresses, token });
    const { set } = await client.submit([{ id: "hello", run: ["echo", "hello"] }]);
    expect((await client.wait(set)).taskCounts).toEqual({ SUCCEEDED: 1 });
    client.close();
  });

  it("say by their health checks that a service has died", async () => {
    const { child, ended } = processes.get("metrics") as Running;
    child.kill("SIGKILL");
    await ended;
    expect(await healthy("metrics")).toBe(false);
  });

  it("export every metric that the dashboard and the rules name", async () => {
    const pages = ["registry", "pool-manager", "scheduler"].map(async (name) => {
      const response = await fetch(`http://127.0.0.1:${portOf(name, "http")}/metrics`);
      return response.text();
    });
    run("metrics");
    await healthyAll(["metrics"]);
    const whole = await (await fetch(`http://127.0.0.1:${portOf("metrics", "http")}/metrics`)).text();
    const exported = new Set([...(await Promise.all(pages)), whole].flatMap((page) => page.match(/^\w+/gm) ?? []));
    const asked = ["deploy/grafana/dashboards/berth.json", "deploy/prometheus/rules.yml"].flatMap((file) =>
      [...readFileSync(join(root, file), "utf8").matchAll(/\b(?:dispatcher|berth|grpc_server)_\w+/g)].map(
        ([name]) => name,
      ),
    );
    expect(asked.length).toBeGreaterThan(20);
    expect([...new Set(asked)].filter((name) => !exported.has(name))).toEqual([]);
  });
});
