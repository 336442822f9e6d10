#!/usr/bin/env node
// `npm run cluster`: Berth as it runs distributed, without docker: a nats-server and a PostgreSQL of this machine, four services as processes,
// runners. Ctrl-C stops all.
//   --standbys      a second registry, pool-manager and scheduler
//   --runners N     default 3
//   --folder DIR    where everything is kept; default: a temporary one, deleted at the end
//   --demo          works off examples/demo.yaml
//   --once          with --demo: ends when that is done, with exit code 0 only if all succeeded
//   --no-restart    a part that dies stays dead
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt, ensureInstalled, root } from "./bootstrap.mjs";

const say = (line) => process.stderr.write(`${line}\n`);
const { values } = parseArgs({
  options: {
    standbys: { type: "boolean", default: false },
    runners: { type: "string", default: "3" },
    folder: { type: "string" },
    demo: { type: "boolean", default: false },
    once: { type: "boolean", default: false },
    "no-restart": { type: "boolean", default: false },
  },
});
const runners = Number(values.runners);
if (!Number.isInteger(runners) || runners < 0 || runners > 100) {
  say(`--runners: ${values.runners} isn't a whole number from 0 to 100`);
  process.exit(2);
}
ensureInstalled(say);
ensureBuilt(say);
spawnSync(process.execPath, [join(root, "scripts/install-servers.mjs")], { stdio: ["ignore", 2, 2] });
const { serversAvailable, startCluster } = await import("../packages/testkit/dist/index.js");
const { nats, postgres } = serversAvailable();
if (!nats || !postgres) {
  say(
    `${[nats ? "" : "nats-server", postgres ? "" : "PostgreSQL"].filter(Boolean).join(" and ")} can't be had on this machine`,
  );
  process.exit(1);
}

const folder = values.folder === undefined ? mkdtempSync(join(tmpdir(), "berth-cluster-")) : resolve(values.folder);
let cluster;
let ending = false;
const end = async (code) => {
  if (ending) return;
  ending = true;
  say("stopping");
  await cluster?.stop();
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(code);
};
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => end(0));

process.chdir(root);
cluster = await startCluster({
  root,
  folder,
  standbys: values.standbys,
  runners,
  pools: ["default", "checks", "numbers"],
  ...(values["no-restart"] ? { restartMs: undefined } : {}),
  onDied: (part, how) => say(`${part} died (${how})${values["no-restart"] ? "" : "; starting it again"}`),
});
const where = [
  ["--registry", cluster.address("registry")],
  ["--pool-manager", cluster.address("pool-manager")],
  ["--scheduler", cluster.address("scheduler")],
  ["--metrics", cluster.address("metrics")],
].flat();
const environment = { ...process.env, BERTH_API_TOKEN: cluster.token };
const berth = (args, stdio) =>
  new Promise((done) => {
    const child = spawn(process.execPath, ["packages/cli/dist/main.js", ...args, ...where], {
      env: environment,
      stdio,
    });
    child.once("exit", (code) => done(code ?? 1));
  });
if ((await berth(["apply", "examples/berth.yaml"], ["ignore", 2, 2])) !== 0) await end(1);
say(`nats-server ${cluster.nats.url}, PostgreSQL 127.0.0.1:${cluster.postgres.port}, folder ${folder}`);
for (const { part, grpc, http } of cluster.members)
  say(`  ${part.name.padEnd(15)} gRPC ${grpc}  ${http}/metrics  process ${part.pid}`);
for (const part of cluster.runners) say(`  ${part.name.padEnd(15)} process ${part.pid}`);
say(`from another terminal: BERTH_API_TOKEN=${cluster.token} npx berth status ${where.join(" ")}`);
if (values.demo) {
  const code = await berth(["run", "examples/demo.yaml"], ["ignore", 1, 2]);
  if (values.once) await end(code);
}
