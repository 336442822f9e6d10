import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { type LookUp, lookUpMsMax, PlaceList, type Places, shared } from "./place-list.js";

/** Look-ups that are answered, each by itself, when the test says so. */
class Names {
  private readonly open = new Map<string, { found(ips: readonly string[]): void; fail(error: Error): void }>();
  readonly lookUp: LookUp = (host) =>
    new Promise((resolve, reject) => this.open.set(host, { found: resolve, fail: reject }));

  hangs(host: string): boolean {
    return this.open.has(host);
  }

  async resolve(host: string, ...ips: string[]): Promise<void> {
    this.open.get(host)?.found(ips);
    this.open.delete(host);
    await new Promise(setImmediate);
  }

  async fail(host: string, code: string): Promise<void> {
    this.open.get(host)?.fail(Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code }));
    this.open.delete(host);
    await new Promise(setImmediate);
  }
}

function listOf(...hosts: string[]) {
  const names = new Names();
  const clock = new ManualClock();
  const told: Places[] = [];
  const addresses = hosts.map((host) => ({ host, port: 1 }));
  const list = new PlaceList(addresses, names.lookUp, clock, (places) => told.push(places));
  return { names, clock, told, list, last: () => told.at(-1)?.addresses.map(({ host }) => host) };
}

describe("a list of places", () => {
  it("is answered with the first name that resolves, while another one hangs, and told the rest when it comes", async () => {
    const { names, list, told, last } = listOf("slow", "quick");
    list.ask();
    await names.resolve("quick", "10.0.0.2");
    expect(last()).toEqual(["10.0.0.2"]);
    await names.resolve("slow", "10.0.0.1");
    expect(last()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(told).toHaveLength(2);
  });

  it("is answered at once where it has an address beside the names", () => {
    const { list, last } = listOf("slow", "10.0.0.9");
    list.ask();
    expect(last()).toEqual(["10.0.0.9"]);
  });

  it("doesn't lose an answer that comes after the next asking, or after its bound", async () => {
    const { names, clock, list, told, last } = listOf("slow");
    list.ask();
    list.ask();
    await clock.advance(lookUpMsMax);
    expect(told).toEqual([
      { addresses: [], problem: `the name slow can't be resolved (no answer for ${lookUpMsMax} ms)` },
    ]);
    list.ask();
    await names.resolve("slow", "10.0.0.1");
    expect(last()).toEqual(["10.0.0.1"]);
  });

  it("keeps what was known of a name whose look-up hangs or fails for now; one that is gone counts where nothing else is left", async () => {
    const { names, clock, list, last } = listOf("a", "b");
    list.ask();
    await names.resolve("a", "10.0.0.1");
    await names.resolve("b", "10.0.0.2");
    list.ask();
    await clock.advance(lookUpMsMax);
    expect(last()).toEqual(["10.0.0.1", "10.0.0.2"]);
    await names.fail("a", "EAI_AGAIN");
    expect(last()).toEqual(["10.0.0.1", "10.0.0.2"]);
    list.ask();
    await names.fail("a", "ENOTFOUND");
    await names.resolve("b", "10.0.0.3");
    expect(last()).toEqual(["10.0.0.3"]);
    list.ask();
    await names.fail("a", "ENOTFOUND");
    await names.fail("b", "ENOTFOUND");
    expect(last()).toEqual(["10.0.0.1", "10.0.0.3"]);
  });

  it("answers every asking within its bound, with all that was found and nothing else, whatever the names do", async () => {
    const hosts = ["a", "b", "c"];
    const step = fc.oneof(
      fc.constant({ does: "ask" as const }),
      fc.record({ does: fc.constant("resolve" as const), host: fc.constantFrom(...hosts), ip: fc.nat(9) }),
      fc.record({ does: fc.constant("fail" as const), host: fc.constantFrom(...hosts) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { names, clock, list, told, last } = listOf(...hosts);
        const known = new Map<string, string>();
        list.ask();
        for (const each of steps) {
          if (each.does === "ask") list.ask();
          else if (each.does === "fail") await names.fail(each.host, "EAI_AGAIN");
          else {
            if (names.hangs(each.host)) known.set(each.host, `10.0.0.${each.ip}`);
            await names.resolve(each.host, `10.0.0.${each.ip}`);
          }
          const expected = hosts.flatMap((host) => known.get(host) ?? []);
          if (each.does === "resolve" && expected.length > 0) expect(last()).toEqual(expected);
        }
        const before = told.length;
        list.ask();
        await clock.advance(lookUpMsMax);
        expect(told.length).toBeGreaterThan(before);
        expect(last()).toEqual(hosts.flatMap((host) => known.get(host) ?? []));
      }),
      { numRuns: 50 },
    );
  });
});

describe("look-ups", () => {
  it("of the same name are one, however many ask while it hangs", async () => {
    const names = new Names();
    let asked = 0;
    const lookUp = shared((host) => {
      asked++;
      return names.lookUp(host);
    });
    const both = [lookUp("a"), lookUp("a")];
    expect(asked).toBe(1);
    await names.resolve("a", "10.0.0.1");
    expect(await Promise.all(both)).toEqual([["10.0.0.1"], ["10.0.0.1"]]);
    void lookUp("a");
    expect(asked).toBe(2);
  });
});
