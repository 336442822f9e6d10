// Task states as people see them; the words are those of docs/glossary.md.
import { registry } from "@berth/contracts";
import { type Io, paint } from "./io.js";

const State = registry.Task_State;

/** What each state is called wherever people read it. */
const wordOf: Partial<Record<registry.Task_State, string>> = {
  [State.PENDING]: "blocked",
  [State.READY]: "queued",
  [State.ASSIGNED]: "starting",
  [State.RUNNING]: "running",
  [State.BACKING_OFF]: "retrying",
  [State.CANCELLING]: "cancelling",
  [State.SUCCEEDED]: "succeeded",
  [State.FAILED]: "failed",
  [State.CANCELLED]: "cancelled",
  [State.SKIPPED]: "skipped",
};

/** A state as a word: `running`, `queued`. One that this version doesn't know keeps the API's name. */
export function stateWord(state: registry.Task_State): string {
  return wordOf[state] ?? apiWord(state);
}

/** A state's name in the API as a word: `ready`, `backing-off`. */
function apiWord(state: string): string {
  return state
    .replace(/^STATE_/, "")
    .toLowerCase()
    .replaceAll("_", "-");
}

const styles: Partial<Record<registry.Task_State, Parameters<typeof paint>[1]>> = {
  [State.SUCCEEDED]: "green",
  [State.FAILED]: "red",
  [State.CANCELLED]: "yellow",
  [State.CANCELLING]: "yellow",
  [State.SKIPPED]: "yellow",
  [State.RUNNING]: "cyan",
  [State.ASSIGNED]: "cyan",
  [State.BACKING_OFF]: "magenta",
};

/** A state in its colour. */
export function paintState(io: Io, state: registry.Task_State, text = stateWord(state)): string {
  const style = styles[state];
  return style === undefined ? text : paint(io, style, text);
}

/** What a filter may say: the words, and the API's names for who has read these. */
const named = new Map<string, registry.Task_State[]>();
for (const state of Object.keys(wordOf) as registry.Task_State[])
  for (const word of [stateWord(state), apiWord(state)]) named.set(word, [state]);
// Who asks for what runs means what has a lease, as the board counts it.
named.set("running", [State.RUNNING, State.ASSIGNED]);

/** The states that a filter such as `failed,retrying` names; undefined if one of its words isn't a state. */
export function parseStates(text: string): registry.Task_State[] | undefined {
  const found = text.split(",").map((word) => named.get(word.trim().toLowerCase()));
  return found.every((states) => states !== undefined) ? [...new Set(found.flat())] : undefined;
}

/** The words that `parseStates` takes. */
export const stateWords: readonly string[] = Object.values(wordOf);

/** Counts by the API's names as people read them: `3 queued, 1 failed`. */
export function countWords(counts: Readonly<Record<string, bigint>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0n)
    .map(([name, count]) => `${count} ${stateWord(`STATE_${name.replace(/^STATE_/, "")}` as registry.Task_State)}`)
    .join(", ");
}
