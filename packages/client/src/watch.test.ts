import { registry } from "@berth/contracts";
import { ManualClock } from "@berth/wire/clock";
import { ReasonError } from "@berth/wire/grpc";
import { expect, it } from "vitest";
import { told } from "./task.js";
import { Tally, watchTasks } from "./watch.js";

const task = (name: string, state: keyof typeof registry.Task_State, revision: bigint) =>
  registry.Task.fromPartial({ task: `s/${name}`, state: registry.Task_State[state], revision });
const batch = (revision: bigint, ...tasks: registry.Task[]) =>
  registry.WatchTasksResponse.fromPartial({ revision, tasks });

/** Opens scripted streams one after the other; a stream is what it yields and what it then throws. */
function scripted(streams: { yields: registry.WatchTasksResponse[]; throws?: Error }[]) {
  const opened: bigint[] = [];
  const open = async function* (revision: bigint) {
    opened.push(revision);
    const stream = streams[opened.length - 1];
    yield* stream?.yields ?? [];
    if (stream?.throws) throw stream.throws;
  };
  return { opened, open };
}

async function run(streams: Parameters<typeof scripted>[0], takes: number) {
  const { opened, open } = scripted(streams);
  const clock = new ManualClock();
  const stop = new AbortController();
  const seen: string[] = [];
  const connection: string[] = [];
  const onConnection = (error: Error | undefined) => {
    connection.push(error === undefined ? "back" : "broken");
  };
  const reading = (async () => {
    for await (const tasks of watchTasks(open, { clock, signal: stop.signal, onConnection })) {
      seen.push(...tasks.map((each) => each.task));
      if (seen.length >= takes) stop.abort();
    }
  })();
  let over = false;
  void reading.then(
    () => (over = true),
    () => (over = true),
  );
  for (let turn = 0; turn < 50 && !over; turn += 1) await clock.advance(1_000);
  await reading;
  return { seen, opened, connection };
}

it("resumes behind the last revision it saw, and tells of the break", async () => {
  const { seen, opened, connection } = await run(
    [
      { yields: [batch(7n, task("a", "READY", 7n)), batch(9n)], throws: new ReasonError("UNREACHABLE", "gone") },
      { yields: [batch(11n, task("b", "READY", 11n))] },
    ],
    2,
  );
  expect(seen).toEqual(["s/a", "s/b"]);
  expect(opened).toEqual([0n, 9n]);
  expect(connection).toEqual(["broken", "back"]);
});

it("begins anew where the registry has forgotten the revision", async () => {
  const { opened } = await run(
    [
      { yields: [batch(7n, task("a", "READY", 7n))], throws: new ReasonError("UNREACHABLE", "gone") },
      { yields: [], throws: new ReasonError("REVISION_GONE", "too old") },
      { yields: [batch(20n, task("a", "RUNNING", 20n))] },
    ],
    2,
  );
  expect(opened).toEqual([0n, 7n, 0n]);
});

it("throws what a retry can't help", async () => {
  await expect(run([{ yields: [], throws: new ReasonError("NOT_FOUND", "there is no set s") }], 1)).rejects.toThrow(
    "no set s",
  );
});

it("counts a task once, and takes one that is retried out of the final ones", () => {
  const tally = new Tally();
  tally.take(told(task("a", "FAILED", 1n)));
  tally.take(told(task("b", "RUNNING", 2n)));
  tally.take(told(task("a", "READY", 3n)));
  expect([tally.total, tally.final]).toEqual([2, 0]);
  tally.take(told(task("a", "SUCCEEDED", 4n)));
  expect([tally.total, tally.final]).toEqual([2, 1]);
});
