import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { registry } from "@berth/contracts";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { berthCli, callByHand, expectRefusal, expectWorking, stateOf } from "./harness/refusal.js";

const folder = scratchFolder();
let berth: Berth;
let before: Awaited<ReturnType<typeof stateOf>>;

beforeAll(async () => {
  berth = await startBerth(folder.path, { limits: { global: 4, "api:llm": 3 } });
  before = await stateOf(berth.client);
  for (const [name, text] of Object.entries({ wrong: "wrong\n", empty: "", two: "a\nb\n" }))
    writeFileSync(join(folder.path, `${name}.token`), text);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

const units = "is not a whole number from 0 to 9007199254740991";
const name = "isn't a name: ";

describe("the command refuses, naming flag, value and bound, and changes nothing:", () => {
  it.concurrent.each<[command: string, expected: string, exitCode?: number]>([
    ["limit set api:llm --capacity -1", `--capacity: "-1" ${units}`],
    ["limit set api:llm --capacity NaN", `--capacity: "NaN" ${units}`],
    ["limit set api:llm --capacity 1e309", `--capacity: "1e309" ${units}`],
    ["limit set api:llm --capacity 9223372036854775808", `--capacity: "9223372036854775808" ${units}`],
    ["limit set api:llm --capacity 9007199254740993", `--capacity: "9007199254740993" ${units}`],
    ["limit set ../l --capacity 1 --create", `"../l" ${name}`],
    ["pool set default --max-concurrency=-1", '--max-concurrency: "-1" is not a whole number from 0 to 1000000'],
    ["pool create ../p --max-concurrency 1", `"../p" ${name}`],
    ["pool create p --max-concurrency 1 --slots a,../s", `pool.slots[1]: "../s" ${name}`],
    ["submit --limit api:llm=4 -- true", "weighs 4, limit api:llm has 3 in all: lower the weight or raise the limit"],
    ["submit --limit api:llm=0 -- true", '--limit api:llm: "0" is not a whole number from 1'],
    ["submit --limit ../l -- true", "--limit: \"../l\" isn't a limit's name"],
    ["submit --priority NaN -- true", '--priority: "NaN" is not a whole number from -1000 to 1000'],
    ["submit --timeout 10 -- true", '--timeout: "10" isn\'t a duration with its unit: write 500ms, 10s'],
    ["submit --cpu NaN -- true", '--cpu: "NaN" isn\'t a number of cores'],
    ["submit --id ../t -- true", '--id: "../t" isn\'t a task id'],
    ["submit --set ../s -- true", `set: "../s" ${name}`],
    ["submit --pool nope -- true", 'there is no pool "nope": there are default; create it first, or choose another'],
    ["task ../../etc/passwd", `".." ${name}`],
    ["logs s/../t", `"../t" ${name}`],
    ["runner --pool default --folder ./r --id ../r", 'id: "../r" must match', 1],
    [
      "limit set api:llm --capacity 2 --token-file wrong.token",
      "the token is missing or wrong, nothing was changed",
      1,
    ],
    ["limit set api:llm --capacity 2 --token-file empty.token", "--token-file: empty.token is empty"],
    ["limit set api:llm --capacity 2 --token-file two.token", "two.token holds more than a token"],
  ])("berth %s", async (command, expected, exitCode) => {
    expectRefusal(await berthCli(berth, ...command.split(" ")), [expected], exitCode);
    expect(await stateOf(berth.client)).toEqual(before);
  });
});

describe("gRPC by hand refuses, naming field, value and bound, and changes nothing:", () => {
  const update = "berth.pool.v1.PoolService/UpdateLimit";
  const submit = "berth.registry.v1.RegistryService/SubmitTasks";
  const capacity = (value: string) => `{"limit": {"limit": "api:llm", "capacity": ${value}}, "updateMask": "capacity"}`;
  const task = (more: string) => `{"tasks": [{"id": "a", "run": {"command": {"shell": "true"}}, ${more}}]}`;
  const outOfBounds = "is out of bounds: a whole number from 0 to 9007199254740991 is needed";
  // What isn't a number of the field's type at all doesn't leave buf.
  it.concurrent.each([
    [update, capacity("-1"), `limit.capacity: -1 ${outOfBounds}`],
    [update, capacity("9007199254740993"), `limit.capacity: 9007199254740993 ${outOfBounds}`],
    [update, capacity('"9223372036854775807"'), `limit.capacity: 9223372036854775807 ${outOfBounds}`],
    [update, capacity("9223372036854775808"), "invalid value for int64 field capacity: 9223372036854775808"],
    [update, capacity("1e309"), "invalid value for int64 field capacity: 1e309"],
    [update, capacity('"NaN"'), 'invalid value for int64 field capacity: "NaN"'],
    [submit, task('"retry": {"multiplier": "NaN"}'), "multiplier: NaN is out of bounds: a number from 1 to 10"],
    [submit, task('"retry": {"multiplier": "Infinity"}'), "multiplier: Infinity is out of bounds"],
    [submit, task('"priority": 1001'), "priority: 1001 is out of bounds: a whole number from -1000 to 1000"],
    [submit, task('"pool": "../p"'), 'tasks[0].pool: \\"../p\\" isn\'t a name'],
    [submit, task('"needs": ["b"]'), 'there is no task \\"b\\" in the submission or in its set: submit that one too'],
    [submit, '{"tasks": []}', "tasks: there are none: at least one is needed"],
    [submit, '{"nope": 1}', 'unknown field "nope"'],
  ])("%s %s", async (method, json, expected) => {
    const { code, error } = await callByHand(berth, method, json);
    expect(error).toContain(expected);
    expect(code).not.toBe(0);
    expect(await stateOf(berth.client)).toEqual(before);
  });
});

/** Sends bytes as they are; resolves with how the call ended. */
function send(
  bytes: Uint8Array,
  token: string | undefined,
): Promise<{ code: number; message: string; details: string }> {
  const unbounded = { "grpc.max_send_message_length": -1 };
  const client = new Client(berth.client.endpoints.addresses.registry, credentials.createInsecure(), unbounded);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  const same = (value: Buffer) => value;
  const path = "/berth.registry.v1.RegistryService/SubmitTasks";
  return new Promise((resolve) =>
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), metadata, (error) => {
      client.close();
      const details = String(error?.metadata.get("grpc-status-details-bin")[0] ?? "");
      resolve({ code: error?.code ?? 0, message: error?.details ?? "", details });
    }),
  );
}

function submission(count: number, stdinBytes = 0): Uint8Array {
  const stdin = Buffer.alloc(stdinBytes, "x");
  const run = { kind: { $case: "command" as const, value: { argv: ["true"] } }, stdin };
  const tasks = Array.from({ length: count }, (_, index) => ({ id: `t${index}`, run }));
  return registry.SubmitTasksRequest.encode(
    registry.SubmitTasksRequest.fromPartial({ tasks, requestId: randomUUID() }),
  ).finish();
}

describe("bytes on the wire are refused with status, reason and what to do:", () => {
  const { INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED } = status;
  it.each<[what: string, bytes: Uint8Array, code: status, message: RegExp, reason: string]>([
    [
      "garbage",
      Buffer.alloc(8, 0xff),
      INVALID_ARGUMENT,
      /isn't a message that SubmitTasks takes \(.+\)/,
      "INVALID_FIELD",
    ],
    ["a message cut off", submission(3).subarray(0, 20), INVALID_ARGUMENT, /nothing was done/, "INVALID_FIELD"],
    [
      "100,000 tasks in one request",
      submission(100_000),
      INVALID_ARGUMENT,
      /^tasks: 100000 tasks in one submission: at most 10000 are taken; submit them in several calls/,
      "INVALID_FIELD",
    ],
    [
      "5 MB of standard input",
      submission(1, 5_000_000),
      INVALID_ARGUMENT,
      /^tasks\[0\]\.run\.stdin: 5000000 bytes: at most 262144 are taken/,
      "INVALID_FIELD",
    ],
    // The transport refuses it before anything of ours sees it: no reason, but value and bound.
    [
      "6 MB in one message",
      submission(1, 6_000_000),
      RESOURCE_EXHAUSTED,
      /larger than max \(60000\d\d vs 5242880\)/,
      "",
    ],
  ])("%s", async (_, bytes, code, message, reason) => {
    const answer = await send(bytes, berth.client.endpoints.token);
    expect(answer).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(answer.details).toContain(reason);
    expect(await stateOf(berth.client)).toEqual(before);
  });

  it.each([
    ["no token", undefined, /SubmitTasks needs a token: send the header "authorization: Bearer <token>"/],
    ["a wrong token", "wrong", /was called with a wrong token/],
  ])("%s", async (_, token, message) => {
    expect(await send(submission(1), token)).toMatchObject({
      code: UNAUTHENTICATED,
      message: expect.stringMatching(message),
    });
    expect(await stateOf(berth.client)).toEqual(before);
  });

  it("and afterwards tasks run as before", () => expectWorking(berth.client));
});
