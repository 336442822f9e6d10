import { registry } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { countWords, parseStates, stateWord, stateWords } from "./states.js";

const State = registry.Task_State;
const known = Object.values(State).filter((state) => !/UNSPECIFIED|UNRECOGNIZED/.test(state));

describe("the words for states", () => {
  it("are one for each state that there is, and queued, blocked, retrying where people can't know the API's", () => {
    expect(new Set(known.map(stateWord)).size).toBe(known.length);
    expect(known.map(stateWord)).toEqual([...stateWords]);
    expect([State.PENDING, State.READY, State.BACKING_OFF].map(stateWord)).toEqual(["blocked", "queued", "retrying"]);
  });

  it("are what a filter takes, beside the API's names", () => {
    for (const state of known) expect(parseStates(stateWord(state))).toContain(state);
    expect(parseStates("ready,Queued, backing-off")).toEqual([State.READY, State.BACKING_OFF]);
    expect(parseStates("running")).toEqual([State.RUNNING, State.ASSIGNED]);
    expect(parseStates("queued,gone")).toBeUndefined();
  });

  it("count what a set has", () => {
    expect(countWords({ PENDING: 2n, READY: 1n, FAILED: 0n })).toBe("2 blocked, 1 queued");
  });
});
