import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../integration/harness/berth.js";
import { call, works } from "./commands.js";
import type { Engine } from "./engine.js";

const recipes = join(root, "test/docker/images");
const debian = "berth-test/debian";
const certificates = "/usr/local/share/certificates-of-the-host.crt";

/** Images that a recipe of `images/` can stand in for, by the name before the colon. */
const standIns: Readonly<Record<string, string>> = {
  node: "node",
  nats: "nats",
  postgres: "postgres",
  "prom/prometheus": "prometheus",
};

/** Sees to it that the engine has these images. Returns those that can be neither pulled nor made. */
export async function provide(images: readonly string[], engine: Engine, folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (const image of images) {
    if (await has(image, engine)) continue;
    const recipe = standIns[image.split(":")[0] ?? ""];
    if (recipe === undefined) missing.push(image);
    else await make(image, recipe, engine, folder);
  }
  return missing;
}

async function has(image: string, { environment }: Engine): Promise<boolean> {
  const docker = (...args: string[]) => call(["docker", ...args], { environment });
  return docker("image", "inspect", image)
    .catch(() => docker("pull", "--quiet", image))
    .then(
      () => true,
      () => false,
    );
}

async function make(image: string, recipe: string, engine: Engine, folder: string): Promise<void> {
  const { environment } = engine;
  if (!(await works("docker", ...at(engine), "image", "inspect", debian))) await makeDebian(engine, folder);
  const context = join(folder, recipe);
  mkdirSync(context, { recursive: true });
  for (const file of ["postgres.sh"]) copyFileSync(join(recipes, file), join(context, file));
  if (recipe === "node") await packNode(image, context);
  await build(image, join(recipes, `${recipe}.Dockerfile`), context, environment);
}

/** Builds an image with the network of the machine, which RUN needs where an engine has no bridge. */
export async function build(
  image: string,
  dockerfile: string,
  context: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const command = ["build", "--network", "host", "--quiet", "--file", dockerfile, "--tag", image, context];
  // Without buildx, docker warns of the builder that it has.
  const builder = (await works("docker", "buildx", "version")) ? "1" : "0";
  await call(["docker", ...command], { environment: { ...environment, DOCKER_BUILDKIT: builder } });
}

const at = ({ environment }: Engine): string[] =>
  environment["DOCKER_HOST"] === undefined ? [] : ["--host", environment["DOCKER_HOST"]];

/** Debian as debootstrap makes it, with what this machine needs to reach npm: its certificates and its registry. */
async function makeDebian({ environment }: Engine, folder: string): Promise<void> {
  const tree = join(folder, "debian");
  await call(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", tree]);
  const settings = [`ENV npm_config_registry=${(await call(["npm", "config", "get", "registry"])).trim()}`];
  const own = process.env["NODE_EXTRA_CA_CERTS"];
  if (own !== undefined && existsSync(own)) {
    copyFileSync(own, join(tree, certificates));
    settings.push(`ENV NODE_EXTRA_CA_CERTS=${certificates}`);
  }
  const changes = settings.flatMap((setting) => ["--change", setting]);
  await call(["docker", "import", ...changes, "-", debian], { environment, from: ["tar", "-C", tree, "-c", "."] });
}

/** Node in the version that the image's tag names, and npm in that of package.json, as files of fixed names. */
async function packNode(image: string, context: string): Promise<void> {
  const node = /:(\d+\.\d+\.\d+)/.exec(image)?.[1] ?? "";
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { packageManager: string };
  for (const [name, spec] of [
    ["node.tgz", `node-linux-${process.arch}@${node}`],
    ["npm.tgz", packageManager],
  ] as const) {
    const [packed = ""] = (await call(["npm", "pack", "--silent", spec], { cwd: context }))
      .trim()
      .split("\n")
      .slice(-1);
    copyFileSync(join(context, packed), join(context, name));
  }
}
