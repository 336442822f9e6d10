import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../integration/harness/berth.js";
import { until } from "../integration/harness/until.js";
import { call, works } from "./commands.js";
import type { Engine } from "./engine.js";

/** What `docker inspect` says of a container. */
interface Inspected {
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
  readonly State: { readonly Status: string; readonly Health?: { readonly Status: string; readonly Log: unknown } };
}

/** A container's first start takes long on a small machine. */
const healthyWithinMs = 300_000;

/** The project of docker-compose.yml on an engine. */
export class Project {
  private readonly compose: readonly [string, ...string[]];
  private readonly environment: Readonly<Record<string, string>>;

  private constructor(compose: readonly [string, ...string[]], environment: Readonly<Record<string, string>>) {
    this.compose = compose;
    this.environment = environment;
  }

  /** Takes the file as it is, but for compose 1, which doesn't know `name:` at the top. `secrets` are the variables of `.env`. */
  static async open(engine: Engine, folder: string, secrets: Readonly<Record<string, string>>): Promise<Project> {
    const modern = await works("docker", "compose", "version");
    const file = modern ? join(root, "docker-compose.yml") : join(folder, "docker-compose.yml");
    if (!modern)
      writeFileSync(file, readFileSync(join(root, "docker-compose.yml"), "utf8").replace(/^name: .*\n/m, ""));
    const where = ["--project-directory", root, "--project-name", "berth-test", "--file", file];
    const compose = [...(modern ? ["docker", "compose"] : ["docker-compose"]), ...where] as [string, ...string[]];
    return new Project(compose, { ...engine.environment, ...secrets, CLONE: root, COMPOSE_PROFILES: "standby" });
  }

  /** The same project with a further file over it. */
  with(file: string): Project {
    return new Project([...this.compose, "--file", file], this.environment);
  }

  /** Starts containers, and those that they depend on; returns when all of them are healthy. */
  async up(...services: string[]): Promise<void> {
    await this.run("up", "--detach", "--no-build", ...services);
    for (const service of services) await this.healthy(service);
  }

  /** Waits until a container's own health check says that it is well. */
  async healthy(service: string): Promise<void> {
    let last: Inspected["State"] | undefined;
    await until(
      `${service} to be healthy`,
      async () => {
        last = (await this.inspect(service)).State;
        if (last.Status === "exited") throw new Error(`${service} has exited:\n${await this.logs(service)}`);
        return last.Health?.Status === "healthy";
      },
      healthyWithinMs,
    ).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${JSON.stringify(last?.Health?.Log)}\n${await this.logs(service)}`);
    });
  }

  /** Runs a program in a container. */
  exec(service: string, ...command: string[]): Promise<string> {
    return this.run("exec", "-T", service, ...command);
  }

  /** SIGKILL to the first process of a container. */
  async kill(service: string): Promise<void> {
    await this.run("kill", "-s", "SIGKILL", service);
  }

  /** Starts a container that has ended. */
  async start(service: string): Promise<void> {
    await this.run("start", service);
  }

  /** Removes containers, networks and volumes. */
  async down(): Promise<void> {
    await this.run("down", "--volumes", "--timeout", "10");
  }

  /** Names of the containers that there still are. */
  async left(): Promise<string> {
    return (await this.run("ps", "--quiet")).trim();
  }

  private logs(service: string): Promise<string> {
    return this.run("logs", "--no-color", "--tail", "30", service);
  }

  private async inspect(service: string): Promise<Inspected> {
    const id = (await this.run("ps", "--all", "--quiet", service)).trim();
    const [found] = JSON.parse(await call(["docker", "inspect", id], { environment: this.environment })) as Inspected[];
    if (found === undefined) throw new Error(`there is no container of ${service}`);
    return found;
  }

  private run(...args: string[]): Promise<string> {
    return call([...this.compose, ...args], { environment: this.environment });
  }
}
