import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseAddresses } from "./addresses.js";
import { addresses, checkValue } from "./index.js";

describe("addresses", () => {
  it.each([
    ["127.0.0.1:50051", [{ host: "127.0.0.1", port: 50_051 }]],
    ["[::1]:80", [{ host: "::1", port: 80 }]],
    [
      "registry-0.berth:50051, registry-1.berth:50051",
      [
        { host: "registry-0.berth", port: 50_051 },
        { host: "registry-1.berth", port: 50_051 },
      ],
    ],
  ])("reads %s", (text, expected) => expect(parseAddresses(text)).toEqual(expected));

  it.each(["", "localhost", "a:0", "a:65536", "http://a:1", "a:1,,b:2", "a:1,b", "::1:80"])("refuses %j", (text) => {
    expect(() => parseAddresses(text)).toThrow(/isn't an address.*host:port/);
    expect(() => checkValue({ at: text }, z.strictObject({ at: addresses() }), "settings")).toThrow(
      /at: .*isn't an address/,
    );
  });
});
