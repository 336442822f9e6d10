import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { type CommandCore, CommandEngine, type Handlers } from "./index.js";
import { type Reading, submitWith } from "./submit-with.js";

type Result = { readonly item: number; readonly at: number } | "stale";

const isStale = (result: Result): result is "stale" => result === "stale";
const results = (outcome: readonly Result[]) => outcome;

describe("reading, then deciding", () => {
  it("decides every item once, in its place, however often the facts of some are overtaken", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 }), async (overtaken) => {
        const left = [...overtaken];
        const decided: number[] = [];
        const seen: number[] = [];
        const reading: Reading<number, readonly number[], readonly Result[], Result, "stale"> = {
          read: async (items, again) => {
            seen.push(again);
            return items;
          },
          results,
          isStale,
        };
        const decide = async (items: readonly number[]): Promise<readonly Result[]> =>
          items.map((item) => {
            if ((left[item] ?? 0) > 0) {
              left[item] = (left[item] ?? 0) - 1;
              return "stale";
            }
            decided.push(item);
            return { item, at: item };
          });
        const items = overtaken.map((_, item) => item);
        const answers = await submitWith(decide, items, reading);
        expect(answers.map(({ item }) => item)).toEqual(items);
        expect([...decided].sort((a, b) => a - b)).toEqual(items);
        expect(seen).toEqual([...Array(items.length === 0 ? 0 : Math.max(...overtaken) + 1).keys()]);
      }),
    );
  });

  it("gives up, and says how many aren't decided, when they are overtaken again and again", async () => {
    let asked = 0;
    const decide = async (items: readonly number[]): Promise<readonly Result[]> => {
      asked++;
      return items.map((item) => (item === 2 ? "stale" : { item, at: item }));
    };
    const read = async (items: readonly number[]): Promise<readonly number[]> => items;
    await expect(submitWith(decide, [1, 2, 3], { read, results, isStale })).rejects.toMatchObject({
      reason: "STORE_STALLED",
      message: expect.stringContaining("1 of 3 items aren't decided"),
    });
    expect(asked).toBe(6);
  });

  it("takes a decision about fewer items than were asked for a broken one", async () => {
    const read = async (items: readonly number[]): Promise<readonly number[]> => items;
    await expect(submitWith(async () => [], [1], { read, results, isStale })).rejects.toThrow("0 results came back");
  });
});

interface Commands {
  double: { takes: { readonly of: number }; gives: number };
  spell: { takes: { readonly word: string }; gives: readonly string[] };
}

describe("an engine whose commands have kinds", () => {
  it("answers each with what its kind gives, which the compiler knows", async () => {
    const handlers: Handlers<Commands, []> = {
      double: ({ of }) => of * 2,
      spell: ({ word }) => [...word],
    };
    const core: CommandCore<Commands, never, never> = {
      decide: (command) => ({
        outcome: command.kind === "double" ? handlers.double(command) : handlers.spell(command),
        changes: [],
      }),
      apply: () => undefined,
      rowKey: () => undefined,
      row: () => undefined,
    };
    const engine = new CommandEngine<Commands, never, never>({
      core,
      store: {
        lead: async () => ({ epoch: 1, n: 0, rows: [], groups: [] }),
        commit: async () => undefined,
        position: async () => ({ epoch: 1, n: 0, holder: "test" }),
        resign: async () => undefined,
        close: async () => undefined,
      },
      load: () => undefined,
      clock: new ManualClock(),
      logger: silentLogger,
      name: "test",
      onFailed: (error) => {
        throw error;
      },
    });
    await engine.start();
    const doubled: number = await engine.submit({ kind: "double", of: 21 });
    const spelled: readonly string[] = await engine.submit({ kind: "spell", word: "ab" });
    // @ts-expect-error a number isn't what spelling gives
    const wrong: number = await engine.submit({ kind: "spell", word: "ab" });
    expect([doubled, spelled, wrong]).toEqual([42, ["a", "b"], ["a", "b"]]);
    await engine.stop();
  });
});
