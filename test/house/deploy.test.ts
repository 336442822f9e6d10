import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { loadConfig } from "@berth/chassis/config";
import { metricsConfigSchema } from "@berth/metrics";
import { poolManagerConfig } from "@berth/pool-manager";
import { registryConfigSchema } from "@berth/registry";
import { schedulerConfigSchema } from "@berth/scheduler";
import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { root } from "../integration/harness/berth.js";
import { readCompose } from "../integration/harness/compose.js";
import { read } from "./tree.js";

const variables = [...read(".env.example").matchAll(/^(\w+)=/gm)].map(([, name]) => [name ?? "", "secret"]);
const compose = readCompose(Object.fromEntries(variables));
const containers = Object.entries(compose.services);
const schemas = {
  registry: registryConfigSchema,
  "pool-manager": poolManagerConfig,
  scheduler: schedulerConfigSchema,
  metrics: metricsConfigSchema,
};

describe("docker-compose.yml", () => {
  it("has all that it takes, and standbys of those that may have one", () => {
    expect(containers.map(([name]) => name).sort()).toEqual(
      [
        ...["registry", "pool-manager", "scheduler", "metrics", "runner"],
        ...["registry-standby", "pool-manager-standby", "scheduler-standby"],
        ...["nats", "postgres", "jaeger", "prometheus", "grafana"],
      ].sort(),
    );
    for (const [name, { profiles }] of containers)
      expect(profiles, name).toEqual(name.endsWith("-standby") ? ["standby"] : undefined);
  });

  it.each(containers)("keeps %s healthy, small and shut in", (_name, container) => {
    expect(container.image).toMatch(/^[a-z/]+:v?\d+\.\d+\.\d+(-alpine)?$|^[a-z/]+:\d+\.\d+-alpine$/);
    expect(container.healthcheck?.test[0]).toBe("CMD");
    expect(container).toMatchObject({
      init: true,
      restart: "unless-stopped",
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      mem_limit: expect.stringMatching(/^\d+[mg]$/),
      pids_limit: expect.any(Number),
      logging: { options: { "max-size": expect.any(String), "max-file": expect.any(String) } },
    });
    expect(container).not.toHaveProperty("privileged");
    for (const port of container.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    for (const { condition } of Object.values(container.depends_on ?? {})) expect(condition).toBe("service_healthy");
    for (const volume of container.volumes ?? []) {
      const [source = "", , mode] = volume.split(":");
      if (source.startsWith("./")) expect([volume, mode]).toEqual([volume, "ro"]);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it.each(containers.filter(([name]) => name.replace("-standby", "") in schemas))(
    "gives %s settings that it knows",
    (name, { environment = {} }) => {
      const { BERTH_CONFIG: file, ...rest } = environment;
      const schema = schemas[name.replace("-standby", "") as keyof typeof schemas];
      const settings = loadConfig({
        schema: schema as typeof registryConfigSchema,
        environment: rest,
        ...(file === undefined ? {} : { file: file.replace("/etc/berth", join(root, "deploy/berth")) }),
      });
      expect(settings).toMatchObject({ host: "0.0.0.0" });
      expect(settings.database?.reveal()).toBe("postgres://berth:secret@postgres:5432/berth");
      expect(settings.token?.reveal()).toBe("secret");
    },
  );
});

describe("deploy/", () => {
  it("has a Dockerfile without faults, that doesn't run as root and copies what there is", () => {
    const text = read("deploy/Dockerfile");
    expect(validate(text)).toEqual([]);
    expect(text.slice(text.lastIndexOf("\nFROM"))).toMatch(/^USER node$/m);
    for (const [, image] of text.matchAll(/^FROM (\S+)/gm))
      expect(image).toMatch(/^base$|^node:\d+\.\d+\.\d+-[a-z-]+$/);
    expect(text).toContain("COPY deploy/healthcheck.mjs ./deploy/healthcheck.mjs");
    expect(read("deploy/healthcheck.mjs")).not.toBe("");
  });

  it("keeps secrets and what is made out of the image and out of git", () => {
    for (const file of [".dockerignore", ".gitignore"]) expect(read(file).split("\n")).toContain(".env");
    const tracked = execFileSync("git", ["ls-files", ".env"], { cwd: root, encoding: "utf8" });
    expect(tracked).toBe("");
  });
});
