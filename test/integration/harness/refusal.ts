import { join } from "node:path";
import type { BerthClient } from "@berth/client";
import { expect } from "vitest";
import { type Berth, cli, root } from "./berth.js";
import { type Ended, start } from "./command.js";

const buf = join(root, "node_modules/.bin/buf");

/** Runs `berth` with `args` against a Berth, from the folder that its test files lie in. */
export function berthCli(berth: Berth, ...args: string[]): Promise<Ended> {
  // Behind `--` stands a command of the caller's.
  const at = args.indexOf("--") < 0 ? args.length : args.indexOf("--");
  const all = [...args.slice(0, at), "--data", berth.dataFolder, ...args.slice(at)];
  return start(process.execPath, [cli, ...all], { cwd: berth.folder }).ended;
}

/** Calls a method with JSON by `buf curl`, as a person would; with the token unless another is given. */
export function callByHand(berth: Berth, method: string, json: string, token?: string): Promise<Ended> {
  const { addresses, token: own } = berth.client.endpoints;
  const address = method.startsWith("berth.pool.") ? addresses.poolManager : addresses.registry;
  const args = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", `authorization: Bearer ${token ?? own}`];
  return start(buf, [...args, "-d", json, `http://${address}/${method}`], { cwd: berth.folder }).ended;
}

/** All that a refused command must leave as it was: every set with its tasks, every pool and limit. Reading it shows that all answer. */
export async function stateOf(client: BerthClient) {
  const [{ taskSets }, { pools, limits }] = await Promise.all([
    client.registry.listTaskSets({ pageSize: 1_000 }),
    client.pools.getStatus({}),
  ]);
  return {
    sets: taskSets.map(({ set, taskCount }) => ({ set, taskCount })),
    pools: pools.map(({ pool, etag }) => ({ pool, etag })),
    // A runner is a limit too, and comes and goes by itself.
    limits: limits
      .filter(({ limit }) => !limit.startsWith("runner:"))
      .map(({ limit, capacity }) => ({ limit, capacity })),
  };
}

/** Demands that a command ended with `code`, said what is expected on standard error and nothing else anywhere. */
export function expectRefusal({ code, out, error }: Ended, expected: readonly (string | RegExp)[], exitCode = 2): void {
  for (const each of expected) {
    if (typeof each === "string") expect(error).toContain(each);
    else expect(error).toMatch(each);
  }
  expect({ code, out }).toEqual({ code: exitCode, out: "" });
  // A stack trace is for us, not for people.
  expect(error).not.toMatch(/^\s+at /m);
}

/** Runs one task to its success: the whole way still works. */
export async function expectWorking(client: BerthClient): Promise<void> {
  const { set } = await client.submit([{ id: "still-works", run: ["true"] }]);
  expect((await client.wait(set)).taskCounts).toEqual({ SUCCEEDED: 1 });
}
