import { registry } from "@berth/contracts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, { limits: { global: 8 }, defaults: { heartbeatTimeout: "15s" } });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

it("two tasks of 200 MB of output and an endless writer don't cost their neighbours their leases, nor themselves theirs", async () => {
  const large = ["head", "-c", "200000000", "/dev/zero"];
  const { set: floods } = await berth.client.submit([
    { id: "large-1", run: large },
    { id: "large-2", run: large },
    { id: "endless", run: ["yes"] },
  ]);
  await until(
    "the endless writer to run",
    async () => (await berth.client.task(`${floods}/endless`)).state === "RUNNING",
  );
  const neighbours = Array.from({ length: 20 }, (_, at) => ({ id: `n${at}`, run: ["sleep", "1"] }));
  const { set } = await berth.client.submit(neighbours);
  expect((await berth.client.wait(set)).taskCounts).toEqual({ SUCCEEDED: 20 });
  for await (const task of berth.client.tasks({ set }, { view: registry.View.FULL }))
    expect(task.attempts).toHaveLength(1);

  await berth.client.cancel([`${floods}/endless`]);
  expect((await berth.client.wait(floods)).taskCounts).toEqual({ SUCCEEDED: 2, CANCELLED: 1 });
  const text = await (await fetch(`${berth.http("poolManager")}/metrics`)).text();
  expect(text).toContain('berth_releases_total{reason="EXPIRED"} 0');
  expect(text).toContain('berth_releases_total{reason="RUNNER_LOST"} 0');
});
