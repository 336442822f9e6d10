import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@berth/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { cli, root, scratchFolder } from "../integration/harness/berth.js";
import { readCompose } from "../integration/harness/compose.js";
import { until } from "../integration/harness/until.js";
import { call } from "./commands.js";
import { Project } from "./compose.js";
import { startEngine } from "./engine.js";
import { build, provide } from "./images.js";

const secret = () => randomBytes(24).toString("hex");
/** As somebody fills in a copy of .env.example. */
const secrets = Object.fromEntries(
  [...readFileSync(join(root, ".env.example"), "utf8").matchAll(/^(\w+)=/gm)].map(([, name = ""]) => [name, secret()]),
);
const token = secrets["BERTH_API_TOKEN"] ?? "";
const containers = readCompose(secrets).services;
const leaders = ["pool-manager", "pool-manager-standby"];
/** Either process of a service may lead. */
const both = (port: number) => `127.0.0.1:${port},127.0.0.1:${port + 100}`;
const places = {
  BERTH_REGISTRY_ADDRESS: both(50051),
  BERTH_POOL_MANAGER_ADDRESS: both(50052),
  BERTH_SCHEDULER_ADDRESS: both(50053),
};
const engine = await startEngine();
if (typeof engine === "string") console.log(`The tests of docker-compose.yml on an engine are skipped: ${engine}.`);

describe.skipIf(typeof engine === "string")("docker-compose.yml on a Docker engine", () => {
  const scratch = scratchFolder();
  if (typeof engine === "string") return;
  /** Containers whose images there are. */
  let names: string[] = [];
  let project: Project;
  const berth = (...args: string[]) =>
    call([process.execPath, cli, ...args], { cwd: scratch.path, environment: { ...secrets, ...places } });

  beforeAll(async () => {
    project = await Project.open(engine, scratch.path, secrets);
  });
  afterAll(async () => {
    await project?.down();
    await engine.stop();
    scratch.remove();
  });

  it("has an image that deploy/Dockerfile builds", async () => {
    const base = /^FROM (\S+) AS base$/m.exec(await call(["cat", join(root, "deploy/Dockerfile")]))?.[1] ?? "";
    expect(await provide([base], engine, scratch.path)).toEqual([]);
    const image = containers["registry"]?.image ?? "";
    await build(image, join(root, "deploy/Dockerfile"), root, engine.environment);
  });

  it("brings every container up healthy, standbys too", async () => {
    const others = Object.entries(containers).filter(([, { build: ours }]) => ours === undefined);
    const images = others.map(([, { image }]) => image);
    const missing = await provide(images, engine, scratch.path);
    if (missing.length > 0) console.log(`can be neither pulled nor made here, and are left out: ${missing.join(", ")}`);
    names = Object.keys(containers).filter((name) => !missing.includes(containers[name]?.image ?? ""));
    await project.up(...names);
  });

  it("runs a command under its limits", async () => {
    expect(await berth("run", "--pool", "default", "--", "echo", "from a container")).toContain("from a container");
  });

  /** The demo's limits and pools, whose runners attach by themselves here. */
  const catalogue = (): string => {
    const file = join(scratch.path, "berth.yaml");
    const config = parse(readFileSync(join(root, "examples/berth.yaml"), "utf8"));
    for (const pool of Object.values<Record<string, unknown>>(config.pools)) pool["type"] = "remote";
    writeFileSync(file, stringify(config));
    return file;
  };

  it("runs the demo", async () => {
    await berth("apply", catalogue());
    await project.with(join(root, "test/docker/demo.yaml")).up("runner");
    expect(await berth("run", join(root, "examples/demo.yaml"))).toContain("all succeeded: 45 tasks");
  });

  it("goes on when the leading pool-manager's container is killed", async () => {
    const addresses = { registry: both(50051), poolManager: both(50052) };
    const client = createClient({ addresses, token });
    const leading = async () => {
      const found: string[] = [];
      for (const name of leaders) {
        const ask =
          "fetch('http://127.0.0.1:9152/readyz').then(r => r.json()).then(a => console.log(a.checks.leadership))";
        const said = await project.exec(name, "node", "-e", ask).catch(() => "gone");
        if (said.trim() === "ok") found.push(name);
      }
      return found;
    };
    const [leader = ""] = await leading();
    const tasks = Array.from({ length: 60 }, (_, index) => ({ id: `t${index}`, run: "sleep 0.3", skill: "count" }));
    const { set } = await client.submit(tasks);
    await until("some of them to have succeeded", async () => {
      const { taskSet } = await client.registry.getTaskSet({ set });
      return (taskSet?.taskCounts["SUCCEEDED"] ?? 0n) >= 5n;
    });
    await project.kill(leader);
    const done = await client.wait(set);
    expect(done.taskCounts).toEqual({ SUCCEEDED: 60 });
    client.close();
    expect(await leading()).toEqual(leaders.filter((name) => name !== leader));
    await project.start(leader);
    for (const name of names) await project.healthy(name);
  });

  it("leaves nothing behind", async () => {
    await project.down();
    expect(await project.left()).toBe("");
  });
});
