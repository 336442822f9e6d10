import events from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cli, scratchFolder } from "./harness/berth.js";
import { start } from "./harness/command.js";

const folder = scratchFolder();
afterAll(() => folder.remove());

const services = ["registry", "poolManager", "scheduler", "metrics"];
const ports = services.flatMap((name) => [name, `${name}Http`]);

/** What `npm start -- --once` does once everything is installed and built. */
function once(tasks: string) {
  writeFileSync(join(folder.path, "tasks.yaml"), tasks);
  writeFileSync(join(folder.path, "berth.yaml"), "pools:\n  default: { maxConcurrency: 2 }\nlimits: { global: 4 }\n");
  return start(process.execPath, [cli, "up", "--demo", "tasks.yaml", "--once", "--ports", "free"], { cwd: folder.path })
    .ended;
}

describe("berth up --demo FILE --once", () => {
  it("exits 0 as all succeeded, and shows peaks against limits, waits and retries", async () => {
    const { code, out } = await once(
      `
tasks:
  - { id: a, run: [sleep, "0.2"] }
  - { id: b, run: [sleep, "0.2"] }
  - { id: c, run: 'test "$BERTH_ATTEMPT" -ge 2', retry: { attempts: 2, backoff: 10ms } }
`,
    );
    expect(out).toMatch(/^all succeeded: 3 tasks of set s-\w+ in /m);
    expect(out).toMatch(/^LIMIT +PEAK +OF +TASKS +MEAN WAIT +LONGEST +RETRIES$/m);
    expect(out).toMatch(/^pool:default +[12] +2 +3 +\S+ +\S+ +1$/m);
    expect(out).toMatch(/^s-\w+\/c needed 2 attempts/m);
    expect(code).toBe(0);
  });

  it.each(["metrics", "metricsHttp"])(
    "takes free ports where %s is taken: a run that ends by itself bothers nobody",
    async (name) => {
      const taken = createServer().listen(0, "127.0.0.1");
      await events.once(taken, "listening");
      const { port } = taken.address() as { port: number };
      const free = Object.fromEntries(ports.map((each) => [each, 0]));
      writeFileSync(join(folder.path, "berth.yaml"), JSON.stringify({ ports: { ...free, [name]: port } }));
      writeFileSync(join(folder.path, "tasks.yaml"), "tasks:\n  - { id: a, run: 'true' }\n");
      const { code, out } = await start(process.execPath, [cli, "up", "--demo", "tasks.yaml", "--once"], {
        cwd: folder.path,
      }).ended;
      taken.close();
      expect(out).toMatch(/^succeeded in .*: s-\w+$/m);
      expect(code).toBe(0);
    },
  );

  it("exits 1 where something failed, and names it, on the data folder of the first", async () => {
    const { code, out } = await once("tasks:\n  - { id: bad, run: exit 3, retry: 1 }\n");
    expect(out).toMatch(/s-\w+\/bad failed - exit code 3/);
    expect(code).toBe(1);
  });
});
