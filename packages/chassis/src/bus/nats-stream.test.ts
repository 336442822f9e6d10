import type { NatsConnection } from "nats";
import { expect, it } from "vitest";
import { systemClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { streamNames } from "./nats-names.js";
import { settle } from "./nats-options.js";
import { StreamKeeper } from "./nats-stream.js";

/** A connection whose answers about the stream come when the test says so; the race needs an order that no server can be told. */
function answering() {
  const asked: ((state: { created: string; last_seq: number }) => void)[] = [];
  const info = () =>
    new Promise((resolve) => {
      asked.push(({ created, last_seq }) => resolve({ created, state: { last_seq }, config: {} }));
    });
  const streams = { info, update: async () => ({ created: "first", state: { last_seq: 5 }, config: {} }) };
  return { asked, connection: { jetstreamManager: async () => ({ streams }) } as unknown as NatsConnection };
}

it("takes a new stream for one loss, although two looks were under way", async () => {
  const settings = settle({ servers: ["127.0.0.1:4222"], prefix: "t", clock: systemClock, logger: silentLogger });
  const losses: string[] = [];
  const keeper: StreamKeeper = new StreamKeeper(settings, streamNames("t"), () => losses.push(keeper.lossReason));
  const { asked, connection } = answering();
  const next = async () => {
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    return asked.shift();
  };
  const first = keeper.look(connection);
  (await next())?.({ created: "first", last_seq: 5 });
  await first;
  keeper.saw(5);

  const two = [keeper.look(connection), keeper.look(connection)];
  await expect.poll(() => asked.length).toBe(2);
  for (const answer of asked.splice(0)) answer({ created: "second", last_seq: 0 });
  expect((await Promise.all(two)).map(({ generation }) => generation)).toEqual([1, 1]);
  expect(losses).toEqual(["stream recreated"]);

  // A roll-back of the new one is seen as before.
  keeper.saw(3);
  const again = keeper.look(connection);
  (await next())?.({ created: "second", last_seq: 1 });
  expect((await again).generation).toBe(2);
  expect(losses).toEqual(["stream recreated", "stream rolled back"]);
});
