// A small HTTP service that leaves its work to Berth: whoever posts a text gets its digest later. Run it with: node examples/service.mjs
//
//   curl -X POST --data 'some text' -H 'Idempotency-Key: order-17' http://127.0.0.1:8080/digests     202, and where to look
//   curl http://127.0.0.1:8080/digests/order-17                                                        its state, and the digest once it is there
//
// However many are posted, at most two are worked on at once, by the limit api:digest; a post that is repeated does nothing twice.
import { createServer } from "node:http";
import { createClient, ReasonError } from "@berth/client";

const textBytesMax = 64 * 1024;
const limit = "api:digest";
const client = createClient({ dataFolder: process.env.BERTH_DATA_FOLDER ?? "./berth-data", timeoutMs: 5_000 });

/** What an error of Berth is in HTTP. The reasons are a closed set: those that aren't named here are this service's fault, or Berth's. */
const statuses = {
  INVALID_FIELD: 400,
  NOT_FOUND: 404,
  REQUEST_ID_REUSED: 409,
  QUEUE_FULL: 429,
  NO_SPACE: 429,
  UNREACHABLE: 503,
  NOT_READY: 503,
  STORE_STALLED: 503,
  DEADLINE_EXCEEDED: 503,
};

async function declareLimit() {
  try {
    await client.pools.createLimit({ limit: { limit, capacity: 2n, reason: "two digests at once" } });
  } catch (error) {
    if (!(error instanceof ReasonError && error.reason === "ALREADY_EXISTS")) throw error;
  }
}

async function submit(key, text) {
  // The caller's key is the request id and names the set: the same post again gets the same answer, another text under it is refused.
  const task = { id: "digest", run: ["sha256sum"], stdin: text, limits: { [limit]: 1 }, timeout: { run: "1m" } };
  await client.submit([task], { set: `digest-${key}`, requestId: key });
}

async function look(key) {
  const { state, stateReason } = await client.task(`digest-${key}/digest`);
  if (state !== "SUCCEEDED") return { state, reason: stateReason };
  let output = "";
  for await (const { data } of client.logs(`digest-${key}/digest`)) output += Buffer.from(data).toString();
  return { state, digest: output.split(" ")[0] };
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > textBytesMax) throw new ReasonError("INVALID_FIELD", `the text has more than ${textBytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

async function answer(request) {
  const [, root, key = ""] = new URL(request.url ?? "", "http://host").pathname.split("/");
  if (root !== "digests") throw new ReasonError("NOT_FOUND", "there is only /digests");
  if (request.method === "GET") return { status: 200, body: await look(key) };
  if (request.method !== "POST") throw new ReasonError("NOT_FOUND", "POST a text, or GET what became of it");
  const given = request.headers["idempotency-key"];
  if (typeof given !== "string" || !/^[a-z0-9-]{1,40}$/.test(given))
    throw new ReasonError("INVALID_FIELD", "Idempotency-Key: give 1 to 40 of a-z, 0-9 and -");
  await submit(given, await bodyOf(request));
  return { status: 202, body: { look: `/digests/${given}` } };
}

const server = createServer((request, response) => {
  const send = (status, body, headers = {}) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(`${JSON.stringify(body)}\n`);
  answer(request).then(
    ({ status, body }) => send(status, body),
    (error) => {
      const { reason, message, details } = ReasonError.from(error);
      const seconds = Math.ceil((details.retryAfterMs ?? 1_000) / 1_000);
      const status = statuses[reason] ?? 500;
      send(status, { reason, message }, status === 429 || status === 503 ? { "retry-after": seconds } : {});
    },
  );
});

await declareLimit();
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/digests`);
});
process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  client.close();
});
