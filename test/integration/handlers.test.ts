import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRunner, type Handler, type Runner } from "@berth/runner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, root, scratchFolder, startBerth } from "./harness/berth.js";
import { succeed } from "./harness/command.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
const runners: Runner[] = [];
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, { pools: { images: { maxConcurrency: 8, type: "remote" } } });
});
afterAll(async () => {
  for (const runner of runners) await runner.stop();
  await berth?.stop();
  folder.remove();
});

/** A runner of this process with these handlers, attached. */
async function runner(id: string, handlers: Record<string, Handler>): Promise<Runner> {
  const { addresses, token } = berth.client.endpoints;
  const made = createRunner({
    dataFolder: join(folder.path, id),
    id,
    poolManagerAddress: addresses.poolManager,
    schedulerAddress: addresses.scheduler,
    registryAddress: addresses.registry,
    token,
    pools: ["images"],
  });
  runners.push(made);
  for (const [name, handler] of Object.entries(handlers)) made.handle(name, handler);
  await made.start();
  await made.whenAttached();
  return made;
}

const submit = async (set: string, ...handlers: string[]) =>
  berth.client.submit(
    handlers.map((handler, i) => ({ id: `${handler}-${i}`, handler, pool: "images" })),
    { set },
  );
const whereRun = async (set: string): Promise<string[]> => {
  const found: string[] = [];
  for await (const task of berth.client.tasks(set)) {
    const { attempts } = await berth.client.task(task.task);
    found.push(`${task.task.split("/")[1]} ${attempts.map((attempt) => attempt.runner).join(" ")}`);
  }
  return found.sort();
};
const berthCommand = (...args: string[]) =>
  succeed(process.execPath, [cli, ...args, "--data", berth.dataFolder], { cwd: folder.path });

describe("work for handlers, with two runners that have different ones", () => {
  it("runs where its handler is, at its first attempt", async () => {
    await runner("one", { crop: () => "cropped" });
    await runner("two", { resize: () => "resized" });
    await submit("mixed", "crop", "resize", "crop", "resize", "crop", "resize");
    expect((await berth.client.wait("mixed")).taskCounts).toEqual({ SUCCEEDED: 6 });
    expect(await whereRun("mixed")).toEqual([
      "crop-0 one", "crop-2 one", "crop-4 one", "resize-1 two", "resize-3 two", "resize-5 two",
    ]); // biome-ignore format: a list of names
  });

  it("waits where no runner has it, says so, and runs once one registers it, though that is attached already", async () => {
    await submit("late", "encode");
    const why =
      "waits for a runner of pool `images`: no attached runner has handler `encode`; attached: `crop` (on runner `one`), `resize` (on runner `two`)";
    await until(
      "the reason",
      async () => (await berth.client.scheduler.explainTask({ task: "late/encode-0" })).summary === why,
    );
    const shown = await berthCommand("task", "late/encode-0");
    expect(shown).toContain(why);
    expect(await berthCommand("status")).toMatch(/^one +live .* images +crop$/m);
    runners[0]?.handle("encode", () => "encoded");
    expect((await berth.client.wait("late")).taskCounts).toEqual({ SUCCEEDED: 1 });
    expect(await whereRun("late")).toEqual(["encode-0 one"]);
  });

  it("waits again once its handler is taken away, and nothing of it is spent", async () => {
    expect(runners[1]?.removeHandler("resize")).toBe(true);
    await until("the pool-manager to know", async () => {
      const { runners: all } = await berth.client.pools.getStatus({});
      return all.find((each) => each.runner === "two")?.handlerCount === 0;
    });
    await submit("gone", "resize");
    await until("the reason", async () =>
      (await berth.client.scheduler.explainTask({ task: "gone/resize-0" })).summary.includes("has handler `resize`"),
    );
    const { attempts, state } = await berth.client.task("gone/resize-0");
    expect([state, attempts.filter((attempt) => attempt.lease !== "")]).toEqual(["READY", []]);
    runners[1]?.handle("resize", () => "resized");
    expect((await berth.client.wait("gone")).taskCounts).toEqual({ SUCCEEDED: 1 });
  });
});

describe("handlers, by hand", () => {
  const buf = join(root, "node_modules/.bin/buf");
  const { parse } = JSON;

  it("are said by AttachRunner, asked for by a bid, and named by a refusal; a wrong list is refused with field and bound", async () => {
    const call = async (path: string, body: object): Promise<unknown> => {
      const file = join(folder.path, "call.json");
      writeFileSync(file, JSON.stringify(body));
      const { addresses, token } = berth.client.endpoints;
      const url = `http://${addresses.poolManager}/${path}`;
      const args = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", `authorization: Bearer ${token}`];
      return parse(await succeed(buf, [...args, "-d", `@${file}`, url], { cwd: folder.path }));
    };
    const attach = (handlers: string[]) =>
      call("berth.runner.v1.LeaseService/AttachRunner", {
        runner: "by-hand",
        incarnation: "3",
        pools: ["images"],
        capacity: 1,
        labels: { hand: "yes" },
        earlierProcessesDead: true,
        handlers,
      });
    const bid = { pools: ["images"], labels: { hand: "yes" }, handler: "paint" };
    const admission = () => call("berth.pool.v1.PoolService/CheckAdmission", { bid });
    await attach(["sketch"]);
    expect(await admission()).toMatchObject({
      refusals: [
        {
          reason: "REASON_NO_HANDLER",
          pool: "images",
          handler: "paint",
          attached: [{ runner: "by-hand", handlers: ["sketch"], handlerCount: 1 }],
        },
      ],
    });
    await attach(["sketch", "paint"]);
    expect(await admission()).toMatchObject({ admitted: true });
    await expect(attach(["paint", "paint"])).rejects.toThrow(/handlers: a handler is named twice/);
    await expect(attach([""])).rejects.toThrow(/handlers\[0\]/);
    await expect(attach(Array.from({ length: 257 }, (_, i) => `h${i}`))).rejects.toThrow(/handlers: .*256/);
  });
});
