#!/usr/bin/env node
// Sees to it that the programs which some tests run are there: nats-server, PostgreSQL, and Python's gRPC for the example in that language. It
// installs them where this is root on a system with apt-get, and otherwise says in one line what is missing; the tests that need it are then
// skipped.
// With --check it installs nothing and exits 1 if something is missing; with --docker it sees to a Docker engine too.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const servers = [
  { name: "nats-server", packages: ["nats-server"], isThere: () => inOneOf(natsFolders(), "nats-server") },
  { name: "PostgreSQL", packages: ["postgresql"], isThere: () => inOneOf(postgresFolders(), "postgres", "initdb") },
  {
    name: "Python's gRPC",
    packages: ["python3-grpcio", "python3-protobuf", "protobuf-compiler", "protobuf-compiler-grpc"],
    isThere: () => inOneOf(pathFolders(), "protoc", "grpc_python_plugin") && pythonKnowsGrpc(),
  },
];

if (process.argv.includes("--docker"))
  servers.push({
    name: "a Docker engine",
    packages: ["docker.io", "docker-compose", "debootstrap", "iptables", "runc"],
    isThere: () =>
      inOneOf([...pathFolders(), "/usr/sbin"], "dockerd") && inOneOf([...pathFolders(), "/usr/sbin"], "debootstrap"),
  });

// The same places as packages/testkit/src/find.ts looks in; that one is compiled, this one runs before anything is.
function natsFolders() {
  return [process.env.TESTKIT_SERVERS, ...pathFolders(), "/usr/sbin", "/usr/local/bin"];
}

function postgresFolders() {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
  return [process.env.TESTKIT_SERVERS, ...versions, ...pathFolders()];
}

function pathFolders() {
  return (process.env.PATH ?? "").split(delimiter);
}

/** As test/integration/python-example.test.ts looks for it. */
function pythonKnowsGrpc() {
  return ["python3", "/usr/bin/python3"].some(
    (python) => spawnSync(python, ["-c", "import grpc, google.protobuf"], { stdio: "ignore" }).status === 0,
  );
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function inOneOf(folders, ...programs) {
  return folders.some((folder) => folder && programs.every((program) => isProgram(join(folder, program))));
}

const missing = () => servers.filter((server) => !server.isThere());
const named = (list) => list.map((server) => server.name).join(" and ");

/** Runs apt-get; its output is shown only where it fails. */
function apt(...args) {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const run = spawnSync("apt-get", ["-q", ...args], { env: environment, encoding: "utf8" });
  return { ok: run.status === 0, lastLine: `${run.stdout}${run.stderr}`.trim().split("\n").at(-1) ?? "" };
}

/** Packages must not start their services: the tests start their own. A policy that is already there is left alone. */
function withoutServices(work) {
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return work();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function install(list) {
  const names = named(list);
  if (process.getuid?.() !== 0) return `missing: ${names}, and only root may install; tests that need it are skipped`;
  if (!isProgram("/usr/bin/apt-get"))
    return `missing: ${names}, and there is no apt-get here; tests that need it are skipped`;
  console.log(`Installing ${names} for tests (apt-get) ...`);
  const updated = apt("update");
  const installed = withoutServices(() =>
    apt("install", "-y", "--no-install-recommends", ...list.flatMap((server) => server.packages)),
  );
  const left = missing();
  if (left.length === 0) return undefined;
  const reason = installed.ok ? updated.lastLine : installed.lastLine;
  return `missing: ${named(left)}, and apt-get didn't bring it (${reason}); tests that need it are skipped`;
}

const absent = missing();
if (absent.length > 0) {
  const problem = process.argv.includes("--check") ? `missing: ${named(absent)}` : install(absent);
  if (problem) console.log(`Programs for tests: ${problem}.`);
  process.exitCode = problem && process.argv.includes("--check") ? 1 : 0;
}
