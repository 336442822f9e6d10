import type { Attempt, TaskEvent } from "./task.js";

/** Most history entries that a task keeps, and how many of them are its oldest. */
export const historyMax = { events: 1_000, eventsHead: 500, attempts: 200, attemptsHead: 20 };

/** Appends entries that aren't there yet; when there are too many, the middle gives way to one entry that says so. */
export function appendEvents(events: TaskEvent[], added: readonly TaskEvent[]): void {
  for (const event of added) {
    const last = events.at(-1);
    if (last && event.number <= last.number) continue;
    events.push(event);
    if (events.length > historyMax.events) omitMiddle(events);
  }
}

function omitMiddle(events: TaskEvent[]): void {
  const at = historyMax.eventsHead;
  const first = events[at] as TaskEvent;
  // The place behind the head holds the remark; on its first time it takes the place of an entry itself.
  const numberFrom = first.number;
  events.splice(at, 2);
  const next = events[at] as TaskEvent;
  const count = next.number - numberFrom;
  events.splice(at, 0, {
    ...first,
    kind: "EventsOmitted",
    number: numberFrom,
    attempt: 0,
    runner: "",
    slot: "",
    durationMs: -1,
    message: `${count} entries aren't kept`,
  });
}

/** Puts an attempt in its place by its number, replacing an earlier version of it. */
export function putAttempt(attempts: Attempt[], attempt: Attempt): void {
  const at = attempts.findLastIndex((each) => each.attempt <= attempt.attempt);
  if (at >= 0 && attempts[at]?.attempt === attempt.attempt) attempts[at] = attempt;
  else attempts.splice(at + 1, 0, attempt);
  if (attempts.length > historyMax.attempts) attempts.splice(historyMax.attemptsHead, 1);
}
