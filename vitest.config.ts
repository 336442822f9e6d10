import { defineConfig } from "vitest/config";

// Tests run from source: the "@berth/source" condition of every package's exports points at src/.
// "import" and "default" are added where they belong; named here, they would apply to `require` inside packages too.
const conditions = ["@berth/source", "node"];
const fromSource = { resolve: { conditions }, ssr: { resolve: { conditions } } };

const docker = {
  ...fromSource,
  test: {
    name: "docker",
    include: ["test/docker/**/*.test.ts"],
    testTimeout: 900_000,
    hookTimeout: 300_000,
    // Each step stands on the one before.
    bail: 1,
  },
};

export default defineConfig({
  test: {
    // All cores: most tests wait more than they compute. Journeys go one by one all the same.
    maxWorkers: "100%",
    projects: [
      {
        ...fromSource,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "services/*/src/**/*.test.ts", "test/house/**/*.test.ts"],
          // Tests wait for events; how long those take is the machine's affair. These only end what would wait for ever.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 60_000, interval: 10 } },
        },
      },
      {
        ...fromSource,
        test: { name: "simulation", include: ["test/simulation/**/*.test.ts"], testTimeout: 600_000 },
      },
      {
        ...fromSource,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/chaos/**/*.test.ts"],
          // As above: beside twenty busy loops a journey takes ten times as long, and is right all the same.
          testTimeout: 900_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
      // Takes minutes and the usual ports: only `npm run test:docker` runs it.
      ...(process.env["DOCKER"] === undefined ? [] : [docker]),
    ],
  },
});
