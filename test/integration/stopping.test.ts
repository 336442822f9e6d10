import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createChannel, createClient } from "@berth/chassis/grpc";
import { health } from "@berth/contracts";
import { afterAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { berthCli } from "./harness/refusal.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
const services = ["registry", "poolManager", "scheduler", "metrics"] as const;
afterAll(() => folder.remove());

async function readyz(berth: Berth, service: (typeof services)[number]) {
  const answer = await fetch(`${berth.http(service)}/readyz`);
  return {
    status: answer.status,
    draining: ((await answer.json()) as { checks: { draining?: string } }).checks.draining,
  };
}

async function healthOf(address: string): Promise<string> {
  const channel = createChannel(address);
  try {
    return (await createClient(health.HealthDefinition, channel).check({ service: "" })).status;
  } finally {
    channel.close();
  }
}

describe("a Berth that stops while something runs", () => {
  it("says so everywhere from the first moment, still answers, and takes its endpoints back when it ends", async () => {
    const berth = await startBerth(folder.path);
    const go = join(folder.path, "go");
    const wait = `echo begun; while [ ! -e ${go} ]; do sleep 0.05; done`;
    const { set } = await berth.client.submit([{ id: "slow", run: ["sh", "-c", wait] }]);
    await until("the task to run", async () => (await berth.client.pools.getStatus({})).runningCount === 1n);
    const { addresses } = berth.client.endpoints;
    for (const service of services) expect((await readyz(berth, service)).status, service).toBe(200);
    expect(await healthOf(addresses.registry)).toBe("SERVING");

    berth.child.kill("SIGTERM");
    await until("the first of them to say so", async () => (await readyz(berth, "registry")).status === 503);
    for (const service of services) {
      const saying = expect.stringContaining("stopping");
      expect(await readyz(berth, service), service).toEqual({ status: 503, draining: saying });
      expect(await healthOf(addresses[service]), service).toBe("NOT_SERVING");
    }
    const asked = await berthCli(berth, "status");
    expect(asked.error).toMatch(/^Berth is stopping; 1 run still finishes, for \d+ s at most\./);
    expect(asked.code).toBe(0);
    await until("`berth up` to say it too", async () => /1 run still finishes, for \d+ s at most/.test(berth.output()));

    writeFileSync(go, "");
    expect(await berth.stop()).toBe(0);
    expect(existsSync(join(berth.dataFolder, "endpoints.json"))).toBe(false);
    const again = await startBerth(folder.path);
    expect((await again.client.wait(set)).taskCounts).toEqual({ SUCCEEDED: 1 });
    await again.stop();
  });
});
