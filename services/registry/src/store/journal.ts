import type { Change, Row } from "../domain/commands.js";
import { type ChangeText, changeOf, changeText } from "./codec.js";

/**
 * The changes of a commit as the journal keeps them: those of tasks whose row isn't written with the same commit. (When replaying, changes older
 * than the row are passed over by their revision.)
 */
export function encodeChanges(changes: readonly Change[], rows: readonly Row[]): string | undefined {
  const written = new Set(rows.map((row) => (row.kind === "task" ? row.task.header.key : "")));
  const kept: ChangeText[] = [];
  for (const change of changes) {
    if (change.kind !== "task" || written.has(change.key)) continue;
    kept.push(changeText(change.key, change.status, change.attempt, change.events));
  }
  return kept.length === 0 ? undefined : JSON.stringify(kept);
}

/** The reverse. */
export function decodeChanges(text: string): Change[] {
  return (JSON.parse(text) as ChangeText[]).map((change) => ({ kind: "task", ...changeOf(change) }));
}

/** Largest revision among changes; 0 if there is none. */
export function revisionAfter(changes: readonly Change[]): number {
  let revision = 0;
  for (const change of changes) if (change.kind === "task") revision = Math.max(revision, change.status.revision);
  return revision;
}
