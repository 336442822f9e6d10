import { expect, it } from "vitest";
import { openDoor } from "./door.js";
import { Secret } from "./secret.js";

it.each(["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "::ffff:127.0.0.1", undefined])(
  "without a token only this machine may be listened to: %s may",
  (host) => {
    expect(openDoor(host === undefined ? {} : { host })).toBeUndefined();
  },
);

it.each([
  "0.0.0.0",
  "::",
  "[::]",
  "",
  "10.0.0.1",
  "192.168.1.7",
  "berth.example",
  "localhost.example",
  "::ffff:10.0.0.1",
])(
  "without a token only this machine may be listened to: %s is refused, unless there is a token or that is wanted so",
  (host) => {
    expect(openDoor({ host })).toMatch(/BERTH_TOKEN.*127\.0\.0\.1.*--insecure/s);
    expect(openDoor({ host, token: new Secret("t") })).toBeUndefined();
    expect(openDoor({ host, insecure: true })).toBeUndefined();
  },
);
