import type { CatalogueIndex } from "./catalogue.js";
import { checkSpec, type SubmitDefaults } from "./check-spec.js";
import { findCycle } from "./cycle.js";
import type { Submission } from "./submission.js";
import { quote, Violations } from "./violations.js";

/** Most tasks of one submission. */
export const submitTasksMax = 10_000;
/** Most ids of a cycle that are written out. */
const cycleShown = 20;

/**
 * Everything that is wrong with a submission; `exists` says whether the set has a task of that id already. Without it, ids and needs are
 * only checked within the submission.
 */
export function checkSubmission(
  submission: Submission,
  catalogue: CatalogueIndex,
  defaults: SubmitDefaults,
  exists: Exists | undefined,
): Violations {
  const found = new Violations();
  const { tasks, set } = submission;
  if (tasks.length === 0) found.add("tasks", "there are none: at least one is needed");
  if (tasks.length > submitTasksMax) {
    found.add(
      "tasks",
      `${tasks.length} tasks in one submission: at most ${submitTasksMax} are taken; submit them in several calls into the same set, needed tasks first`,
    );
  }
  if (set !== "") found.name("set", set);
  found.atMost("display_name", submission.displayName.length, 128, "characters");
  found.that(
    /^[A-Za-z0-9._-]{0,64}$/.test(submission.requestId),
    "request_id",
    () =>
      `${quote(submission.requestId)} isn't a request id: write a UUID (at most 64 letters, digits, '.', '_' and '-' are taken)`,
  );
  // Too many tasks aren't looked at one by one: the caller has to cut the submission anyway.
  if (found.count > 0 && (tasks.length === 0 || tasks.length > submitTasksMax)) return found;

  tasks.forEach((task, index) => void checkSpec(found, `tasks[${index}]`, task, catalogue, defaults));
  checkNames(found, submission, exists);
  return found;
}

type Exists = (id: string) => boolean;

function checkNames(found: Violations, { tasks, set }: Submission, exists: Exists | undefined): void {
  const places = new Map<string, number>();
  tasks.forEach(({ id }, index) => {
    const first = places.get(id);
    if (first !== undefined)
      found.add(`tasks[${index}].id`, `${quote(id)} is the id of tasks[${first}] too: ids are unique in a set`);
    else if (exists?.(id))
      found.add(`tasks[${index}].id`, `set ${set} has a task ${quote(id)} already: choose another id, or another set`);
    if (first === undefined) places.set(id, index);
  });
  tasks.forEach(({ id, needs }, index) => {
    const seen = new Set<string>();
    needs.forEach((need, at) => {
      const field = `tasks[${index}].needs[${at}]`;
      if (seen.has(need)) found.add(field, `${quote(need)} is named twice`);
      seen.add(need);
      if (need === id) found.add(field, `the task needs itself: ${id} -> ${id}`);
      else if (exists && !places.has(need) && !exists(need)) {
        found.add(
          field,
          `there is no task ${quote(need)} in the submission or in its set: submit that one too, or remove the need`,
        );
      }
    });
  });
  tasks.forEach(({ needs, needConditions }, index) => {
    for (const [need, condition] of Object.entries(needConditions)) {
      const field = `tasks[${index}].need_conditions`;
      if (!needs.includes(need)) found.add(field, `${quote(need)} isn't among the task's needs: add it there`);
      if (condition === "unknown")
        found.add(field, `the condition of ${quote(need)} isn't one of SUCCEEDED, FAILED and ENDED`);
    }
  });
  const selfless = new Map(tasks.map(({ id, needs }) => [id, needs.filter((need) => need !== id)]));
  const cycle = findCycle(selfless);
  if (!cycle) return;
  const shown =
    cycle.length > cycleShown
      ? [...cycle.slice(0, cycleShown), `… (${cycle.length - 1} tasks) …`, cycle[0] as string]
      : cycle;
  found.add(
    `tasks[${places.get(cycle[0] as string)}].needs`,
    `these tasks need each other in a circle: ${shown.join(" -> ")}; remove one of these needs`,
  );
}
