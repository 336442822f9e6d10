// Task states as people see them.
import { registry } from "@berth/contracts";
import { type Io, paint } from "./io.js";

/** A state as a word: `running`, `backing off`. */
export function stateWord(state: registry.Task_State): string {
  return state
    .replace(/^STATE_/, "")
    .toLowerCase()
    .replaceAll("_", " ");
}

const styles: Partial<Record<registry.Task_State, Parameters<typeof paint>[1]>> = {
  [registry.Task_State.SUCCEEDED]: "green",
  [registry.Task_State.FAILED]: "red",
  [registry.Task_State.CANCELLED]: "yellow",
  [registry.Task_State.CANCELLING]: "yellow",
  [registry.Task_State.SKIPPED]: "yellow",
  [registry.Task_State.RUNNING]: "cyan",
  [registry.Task_State.ASSIGNED]: "cyan",
  [registry.Task_State.BACKING_OFF]: "magenta",
};

/** A state in its colour. */
export function paintState(io: Io, state: registry.Task_State, text = stateWord(state)): string {
  const style = styles[state];
  return style === undefined ? text : paint(io, style, text);
}

const words = new Map(
  Object.values(registry.Task_State).map((state) => [stateWord(state).replaceAll(" ", "-"), state]),
);

/** The states that a filter such as `failed,backing-off` names; undefined for one that isn't a state. */
export function parseStates(text: string): registry.Task_State[] | undefined {
  const found = text.split(",").map((word) => words.get(word.trim().toLowerCase()));
  return found.every((state) => state !== undefined) ? found : undefined;
}

/** The words that `parseStates` takes. */
export const stateWords: readonly string[] = [...words.keys()].filter(
  (word) => !/^un(specified|recognized)$/.test(word),
);
