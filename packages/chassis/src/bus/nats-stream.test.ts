import type { NatsConnection } from "nats";
import { expect, it } from "vitest";
import { systemClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { streamNames } from "./nats-names.js";
import { settle } from "./nats-options.js";
import { StreamKeeper } from "./nats-stream.js";

type State = { created: string; last_seq: number };

/** A connection whose answers about the stream come when the test says so; these races need an order that no server can be told. */
function answering() {
  const asked: ((state: State) => void)[] = [];
  const info = () =>
    new Promise((resolve) => {
      asked.push(({ created, last_seq }) => resolve({ created, state: { last_seq }, config: {} }));
    });
  const streams = { info, update: async () => ({ created: "first", state: { last_seq: 5 }, config: {} }) };
  const connection = { jetstreamManager: async () => ({ streams }) } as unknown as NatsConnection;
  /** Waits for questions, and gives how to answer each. */
  const questions = async (count: number) => {
    await expect.poll(() => asked.length).toBe(count);
    return asked.splice(0);
  };
  return { connection, questions };
}

/** A keeper that knows a stream whose last sequence is 5. */
async function knowing() {
  const settings = settle({ servers: ["127.0.0.1:4222"], prefix: "t", clock: systemClock, logger: silentLogger });
  const losses: string[] = [];
  const keeper: StreamKeeper = new StreamKeeper(settings, streamNames("t"), () => losses.push(keeper.lossReason));
  const { connection, questions } = answering();
  const first = keeper.look(connection);
  for (const answer of await questions(1)) answer({ created: "first", last_seq: 5 });
  await first;
  keeper.witness()(5);
  return { keeper, losses, connection, questions };
}

it("takes a new stream for one loss, although two looks were under way, and sees a roll-back of the new one", async () => {
  const { keeper, losses, connection, questions } = await knowing();
  const two = [keeper.look(connection), keeper.look(connection)];
  for (const answer of await questions(2)) answer({ created: "second", last_seq: 0 });
  // The second answer shows the same loss again, by what was known when it was asked for; so that look asks once more.
  for (const answer of await questions(1)) answer({ created: "second", last_seq: 0 });
  expect((await Promise.all(two)).map(({ generation }) => generation)).toEqual([1, 1]);
  expect(losses).toEqual(["stream recreated"]);

  keeper.witness()(3);
  const again = keeper.look(connection);
  for (const answer of await questions(1)) answer({ created: "second", last_seq: 1 });
  expect((await again).generation).toBe(2);
  expect(losses).toEqual(["stream recreated", "stream rolled back"]);
});

it.each([
  ["first", 0, 1],
  ["last", 1, 0],
])(
  "doesn't take the new stream for the old when the look that was sent %s hears of it first",
  async (_, quick, slow) => {
    const { keeper, losses, connection, questions } = await knowing();
    const looks = [keeper.look(connection), keeper.look(connection)];
    const answers = await questions(2);
    answers[quick]?.({ created: "second", last_seq: 0 });
    expect((await looks[quick])?.generation).toBe(1);
    answers[slow]?.({ created: "first", last_seq: 5 });
    for (const answer of await questions(1)) answer({ created: "second", last_seq: 0 });
    expect(await looks[slow]).toMatchObject({ info: { created: "second" }, generation: 1 });
    expect(losses).toEqual(["stream recreated"]);
  },
);

it("forgets the sequences of a lost stream, also those that come late", async () => {
  const { keeper, losses, connection, questions } = await knowing();
  const late = keeper.witness();
  for (let looks = 0; looks < 2; looks++) {
    const look = keeper.look(connection);
    for (const answer of await questions(1)) answer({ created: "second", last_seq: 0 });
    await look;
    late(6);
  }
  expect(losses).toEqual(["stream recreated"]);
});
