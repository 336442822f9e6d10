import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../integration/harness/until.js";
import { works } from "./commands.js";

/** A Docker engine that answers. */
export interface Engine {
  /** What tells docker and docker-compose where it is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends it and deletes what it kept, if it is the test's own. */
  stop(): Promise<void>;
}

/** The engine of this machine, or one of the test's own; or, in words, why there is none. */
export async function startEngine(): Promise<Engine | string> {
  if (!(await works("docker", "--version"))) return "there is no docker command (scripts/install-servers.mjs --docker)";
  if (!(await works("docker-compose", "version")) && !(await works("docker", "compose", "version")))
    return "there is neither docker compose nor docker-compose";
  if (await works("docker", "info", "--format", "{{.ServerVersion}}")) return { environment: {}, stop: async () => {} };
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "no engine answers, and only root can start one";
  if (!(await works("dockerd", "--version"))) return "no engine answers, and there is no dockerd";
  return startOwn();
}

/** Without iptables and bridge, so that it runs where a machine's network mustn't be touched. Ports are published by its proxy. */
async function startOwn(): Promise<Engine | string> {
  // Short: the path of a socket holds 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "berth-docker-"));
  const socket = `unix://${folder}/socket`;
  const log = join(folder, "log");
  const places = ["--host", socket, "--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`];
  const network = ["--iptables=false", "--ip6tables=false", "--bridge=none"];
  const command = ["--pdeathsig", "TERM", "dockerd", ...places, "--pidfile", `${folder}/pid`, ...network];
  const output = openSync(log, "a");
  const child = spawn("setpriv", command, { stdio: ["ignore", output, output], detached: true });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    // It leaves the mount of a network namespace behind.
    await works("umount", `${folder}/exec/netns/default`);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await until("dockerd to answer", async () => {
      if (child.exitCode !== null) throw new Error("dockerd ended");
      return works("docker", "--host", socket, "info");
    });
  } catch {
    const said = readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
    await stop();
    return `an engine can't be started here: ${said}`;
  }
  return { environment: { DOCKER_HOST: socket }, stop };
}
