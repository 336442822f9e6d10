import { parseYaml } from "@berth/chassis/config";
import { expect, it } from "vitest";
import { berthSchema, declaredLimits, declaredPools, defaultPool, localCapacity, parseConfig } from "./config.js";

function problemsOf(text: string): string {
  try {
    parseYaml(text, berthSchema, "berth.yaml");
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("no problem was found");
}

it("has the documented defaults", () => {
  const config = parseConfig();
  expect(config.defaults).toMatchObject({
    policy: "priority",
    heartbeatTimeout: 60_000,
    gracefulShutdown: 300_000,
    keepFinished: 30 * 86_400_000,
  });
  expect(config.defaults.retry).toEqual({ attempts: 3, backoff: 10_000, multiplier: 2, maxBackoff: 300_000 });
  expect(config.ports).toMatchObject({ registry: 50_051, metrics: 50_054, registryHttp: 9_151, metricsHttp: 9_154 });
  expect(declaredLimits(config)[0]).toMatchObject({ limit: "global", capacity: 10 });
  expect(declaredPools(config)).toMatchObject([{ pool: "default", type: "local-process", maxConcurrency: 10 }]);
  expect(defaultPool(config)).toBe("default");
});

it("maps skills to pools, and lets the local runner take what the local pools allow together and more", () => {
  const config = parseConfig({
    pools: {
      a: { maxConcurrency: 3, skills: ["x"] },
      b: { maxConcurrency: 2 },
      far: { type: "remote", maxConcurrency: 50 },
    },
    skills: { y: ["a", "b"] },
  });
  expect(declaredPools(config).map((each) => each.skills)).toEqual([["x", "y"], ["y"], []]);
  expect([localCapacity(config, 5), localCapacity(config, 2_000), localCapacity(config, 1e6)]).toEqual([
    256, 2_000, 10_000,
  ]);
  expect(defaultPool(config)).toBe("");
});

it.each([
  ["a negative limit", "limits:\n  global: -1\n", ["berth.yaml:2:", "limits.global", "-1"]],
  ["not a number", "limits:\n  global: .nan\n", [":2:", "limits.global"]],
  ["a huge number", "limits:\n  global: 1e300\n", [":2:", "limits.global"]],
  ["an unknown key", "pools:\n  a:\n    maxConcurency: 1\n", [":3:", "maxConcurency"]],
  ["a pool's own limit", "limits:\n  pool:a: 3\n", [":2:", "maxConcurrency"]],
  ["a skill of an unknown pool", "pools: { a: { maxConcurrency: 1 } }\nskills: { x: b }\n", [":2:", 'no pool "b"']],
  ["a name with ..", "pools:\n  ../a: { maxConcurrency: 1 }\n", [":2:", "name"]],
  ["a duration without unit", "defaults: { heartbeatTimeout: 60 }\n", [":1:", "heartbeatTimeout", "unit"]],
  ["times that leave nothing", "defaults: { heartbeatTimeout: 3s }\n", [":1:", "heartbeatTimeout", "killTime"]],
  [
    "a type without an executor",
    "pools:\n  a: { type: docker, maxConcurrency: 1 }\n",
    [":2:", "pools.a.type", "isn't built yet"],
  ],
  [
    "more starts than are remembered",
    "limits:\n  x: { capacity: 1, rate: { starts: 10001, period: 1s } }\n",
    [":2:", "10000"],
  ],
  ["a reserve above the capacity", "limits:\n  disk: { capacity: 1, reserve: 2 }\n", [":2:", "above the capacity"]],
])("names line and column of %s", (_, text, parts) => {
  const message = problemsOf(text);
  for (const part of parts) expect(message).toContain(part);
});

it("names what is wrong in a configuration that a program gives", () => {
  const wrong = { pools: { a: { maxConcurrency: -1 } }, limit: {} };
  expect(() => parseConfig(wrong as never)).toThrow(
    /configuration pools\.a\.maxConcurrency: -1 is below the minimum, 0\nconfiguration limit: is not known here; known are: .*limits/,
  );
});
