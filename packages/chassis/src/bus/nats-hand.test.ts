import type { NatsConnection } from "nats";
import { expect, it } from "vitest";
import { systemClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { Hand } from "./nats-hand.js";
import { Delivered } from "./nats-message.js";
import { streamNames } from "./nats-names.js";
import { settle } from "./nats-options.js";
import { StreamKeeper } from "./nats-stream.js";

/** A hand that has acknowledged message 7 and waits for the confirmation, which comes when the test says so. */
async function waiting() {
  const settings = settle({ servers: ["127.0.0.1:4222"], prefix: "t", clock: systemClock, logger: silentLogger });
  const keeper = new StreamKeeper(settings, streamNames("t"), () => {});
  const subject = { name: "berth.test", encode: () => new Uint8Array(), decode: () => true };
  const handler = async () => {};
  const hand = new Hand({ settings, keeper, subject, durable: "reader", handler, traceParents: undefined });
  let confirm: () => void = () => {};
  const asked = await new Promise<{ over: Promise<void> }>((resolve) => {
    const request = () =>
      new Promise<void>((confirmed) => {
        confirm = confirmed;
        resolve({ over: handing });
      });
    const message = { data: new Uint8Array(), reply: "$JS.ACK.s.c.1.7.1.0.0" };
    const handing = hand.over([new Delivered({ request } as unknown as NatsConnection, message as never)]);
  });
  return { hand, confirm, over: asked.over };
}

it("resumes after the last message whose acknowledgement the server has confirmed", async () => {
  const { hand, confirm, over } = await waiting();
  expect(hand.resumeAt).toBe(0);
  confirm();
  await over;
  expect(hand.resumeAt).toBe(8);
});

it("doesn't resume the next consumer at a number of the one before, although its confirmation comes late", async () => {
  const { hand, confirm, over } = await waiting();
  hand.orphan();
  confirm();
  await over;
  expect(hand.resumeAt).toBe(0);
});
