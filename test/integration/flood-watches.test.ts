import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, { limits: { global: 0 } });
  const tasks = Array.from({ length: 700 }, (_, at) => ({ id: `t${at}`, run: ["true"] }));
  await berth.client.submit(tasks, { set: "done" });
  await berth.client.cancel({ set: "done" });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

/** One watch of everything, whose messages nobody reads; the token isn't sent. */
function watchUnread(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": "/berth.registry.v1.RegistryService/WatchTasks",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  stream.end(Buffer.alloc(5));
  return stream;
}

async function openStreams(): Promise<number> {
  const text = await (await fetch(`${berth.http("registry")}/metrics`)).text();
  return Number(/^berth_grpc_streams\{caller="reader"\} (\d+)$/m.exec(text)?.[1]);
}

function memoryMb(): number {
  const status = readFileSync(`/proc/${berth.child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

it("a stranger's 5,000 unread watches on one connection are refused beyond the bound, and cost nobody else anything", async () => {
  const before = memoryMb();
  const { registry } = berth.client.endpoints.addresses;
  const session = connect(`http://${registry}`);
  session.on("error", () => undefined);
  const refusals: IncomingHttpHeaders[] = [];
  for (let at = 0; at < 5_000; at++)
    watchUnread(session).on("response", (headers) => {
      if (headers["grpc-status"] !== undefined) refusals.push(headers);
    });
  await until("all beyond the bound to be refused", () => refusals.length === 4_800);
  expect(new Set(refusals.map((one) => one["grpc-status"]))).toEqual(new Set(["8"]));
  expect(decodeURIComponent(String(refusals[0]?.["grpc-message"]))).toContain("the bound streamsPerConnection");
  // Others are served beside it.
  expect(await openStreams()).toBe(200);
  const { tasks } = await berth.client.registry.listTasks({ filter: { set: "done" }, pageSize: 10 });
  expect(tasks).toHaveLength(10);
  // 200 windows of 64 KiB and a page each; not the 700 tasks for each of them.
  expect(memoryMb() - before).toBeLessThan(400);

  session.destroy();
  await until("the streams to end with their caller", async () => (await openStreams()) === 0);
});
