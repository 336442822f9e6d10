import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { start, succeed } from "./harness/command.js";

const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, {
    pools: { trees: { maxConcurrency: 2, slots: ["tree-a", "tree-b"] } },
  });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

const berthCommand = (...args: string[]) => [cli, ...args, "--data", berth.dataFolder];

describe("the result of a command", () => {
  it("is shown by `berth task` and the client as a handler's, and one that is no JSON fails its task", async () => {
    const file = join(folder.path, "tasks.yaml");
    writeFileSync(
      file,
      `
tasks:
  - { id: counts, pool: trees, run: 'printf "{\\n \\"lines\\": 7\\n}\\n" > $BERTH_RESULT' }
  - { id: speaks, pool: trees, retry: 5, run: 'echo seven lines > $BERTH_RESULT' }
`,
    );
    const submit = berthCommand("run", file, "--set", "results");
    expect((await start(process.execPath, submit, { cwd: folder.path }).ended).code).toBe(1);
    const task = async (id: string) =>
      (await succeed(process.execPath, berthCommand("task", `results/${id}`), { cwd: folder.path })).replace(
        / +/g,
        " ",
      );
    expect(await task("counts")).toMatch(/^result \{"lines":7\}$/m);
    expect(Buffer.from((await berth.client.task("results/counts")).resultJson).toString()).toBe('{"lines":7}');
    expect(await task("speaks")).toMatch(/the result in \$BERTH_RESULT isn't JSON/);
    const { attempts } = await berth.client.task("results/speaks");
    expect(attempts).toHaveLength(1);
  });
});

describe("the slot in a working directory", () => {
  it("gives each of two tasks at once the directory of its slot, and names the one that isn't there", async () => {
    const trees = join(folder.path, "trees");
    mkdirSync(join(trees, "tree-a"), { recursive: true });
    mkdirSync(join(trees, "tree-b"));
    // Each waits until both have been where they are, so that both slots are held at once.
    const meet = `touch ../$BERTH_TASK_ID.here; until [ -e ../x.here ] && [ -e ../y.here ]; do sleep 0.05; done; printf '"%s"' "$(basename "$PWD")" > $BERTH_RESULT`;
    const cwd = join(trees, `\${slot}`);
    const both = ["x", "y"].map((id) => ({ id, pool: "trees", cwd, run: meet, env: { BERTH_TASK_ID: id } }));
    await berth.client.submit(both, { set: "both" });
    expect((await berth.client.wait("both")).taskCounts).toEqual({ SUCCEEDED: 2 });
    const left: string[] = [];
    for (const { id } of both) left.push(Buffer.from((await berth.client.task(`both/${id}`)).resultJson).toString());
    expect(left.sort()).toEqual(['"tree-a"', '"tree-b"']);

    await berth.client.submit([{ id: "lost", pool: "trees", cwd: join(trees, `of-\${slot}`), run: ["true"] }], {
      set: "lost",
    });
    expect((await berth.client.wait("lost")).taskCounts).toEqual({ FAILED: 1 });
    const { attempts } = await berth.client.task("lost/lost");
    expect(attempts.at(-1)?.outcome?.message).toMatch(
      /^working directory .*\/trees\/of-tree-[ab] isn't there \(\$\{slot\} is "tree-[ab]" in pool trees\)$/,
    );
  });
});
