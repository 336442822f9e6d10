import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, root, scratchFolder, startBerth } from "./harness/berth.js";
import { type Running, start } from "./harness/command.js";
import { until } from "./harness/until.js";

const scratch = scratchFolder();
let berth: Berth;
let service: Running;
let url = "";

beforeAll(async () => {
  berth = await startBerth(scratch.path);
  const environment = { ...process.env, BERTH_DATA_FOLDER: berth.dataFolder, PORT: "0" };
  service = start(process.execPath, [join(root, "examples/service.mjs")], { cwd: scratch.path, environment });
  await until("the service to listen", async () => {
    url = /http:\S+/.exec(service.out())?.[0] ?? "";
    return url !== "";
  });
});
afterAll(async () => {
  service?.child.kill("SIGTERM");
  await service?.ended;
  await berth?.stop();
  scratch.remove();
});

const post = async (key: string, text: string) => {
  const response = await fetch(url, { method: "POST", body: text, headers: { "idempotency-key": key } });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
};
const look = async (key: string) => (await (await fetch(`${url}/${key}`)).json()) as Record<string, string>;

describe("the example of a service", () => {
  it("leaves its work to Berth, does nothing twice, and keeps to its limit", async () => {
    const keys = Array.from({ length: 8 }, (_none, i) => `order-${i}`);
    for (const key of [...keys, ...keys]) expect(await post(key, `text of ${key}`)).toMatchObject({ status: 202 });
    for (const key of keys) {
      await until(`the digest of ${key}`, async () => (await look(key)).state === "SUCCEEDED");
      const digest = createHash("sha256").update(`text of ${key}`).digest("hex");
      expect(await look(key)).toEqual({ state: "SUCCEEDED", digest });
      const { attempts, spec } = await berth.client.task(`digest-${key}/digest`);
      expect([attempts.length, spec?.limits]).toEqual([1, { "api:digest": 1n }]);
    }
    const { limits } = await berth.client.pools.getStatus({});
    expect(limits.find(({ limit }) => limit === "api:digest")).toMatchObject({ capacity: 2n, used: 0n });
  });

  it("turns each reason into a status of its own", async () => {
    expect(await post("order-0", "another text")).toMatchObject({ status: 409, body: { reason: "REQUEST_ID_REUSED" } });
    expect(await post("Order", "x")).toMatchObject({ status: 400, body: { reason: "INVALID_FIELD" } });
    expect((await fetch(`${url}/nobody`)).status).toBe(404);
  });

  it("says when to come again while Berth is away", async () => {
    await berth.stop();
    const response = await fetch(url, { method: "POST", body: "x", headers: { "idempotency-key": "late" } });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });
});
