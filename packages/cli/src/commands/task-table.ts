// The table of `berth tasks`: where each task is, and why it is as it is.
import type { BerthClient } from "@berth/client";
import { formatDuration } from "@berth/client/quantities";
import { registry } from "@berth/contracts";
import { type Column, cut, type Io, table, widthOf } from "../io.js";
import { paintState } from "../states.js";

const State = registry.Task_State;
/** Tasks that one question may name. */
const asksMost = 1_000;
/** Columns of a reason, where there is no terminal, and at least. */
const whyElsewhere = 80;
const whyLeast = 16;

const columns: readonly Column[] = [
  { title: "TASK" },
  { title: "STATE" },
  { title: "POOL" },
  { title: "RUNNER" },
  { title: "SLOT" },
  { title: "TRY", right: true },
  { title: "TOOK", right: true },
  { title: "AGE", right: true },
  { title: "WHY" },
];

/** Why queued tasks wait, by task: one question for all of them. Empty where the scheduler can't say. */
export async function waitsOf(
  client: BerthClient,
  tasks: readonly registry.Task[],
  set: string,
): Promise<ReadonlyMap<string, string>> {
  const queued = tasks.filter((task) => task.state === State.READY).map((task) => task.task);
  const waits = new Map<string, string>();
  for (let at = 0; at < queued.length; at += asksMost) {
    const answer = await client.scheduler
      .explainTasks({ set, tasks: queued.slice(at, at + asksMost) })
      .catch(() => undefined);
    if (answer === undefined) break;
    for (const { task, cause } of answer.waits) waits.set(task, cause);
  }
  return waits;
}

/** Prints the table; the reasons take what room the rest leaves. */
export function taskTable(
  io: Io,
  tasks: readonly registry.Task[],
  waits: ReadonlyMap<string, string>,
  now: number,
): void {
  const rows = tasks.map((task) => [
    task.task,
    paintState(io, task.state),
    task.pool || task.spec?.pool || "",
    task.runner,
    task.slot,
    task.attempt === 0 ? "" : String(task.attempt),
    took(task, now),
    task.createTime === undefined ? "" : formatDuration(now - task.createTime.getTime()),
  ]);
  const taken = columns
    .slice(0, -1)
    .map(({ title }, index) => Math.max(title.length, ...rows.map((row) => widthOf(row[index] ?? ""))) + 2)
    .reduce((sum, width) => sum + width, 0);
  const room = io.terminal ? Math.max(whyLeast, io.columns() - 1 - taken) : whyElsewhere;
  table(
    io,
    columns,
    rows.map((row, index) => [...row, cut(why(tasks[index] as registry.Task, waits, now), room)]),
  );
}

/** In one line, why a task is as it is. */
function why(task: registry.Task, waits: ReadonlyMap<string, string>, now: number): string {
  switch (task.state) {
    case State.READY:
      return waits.get(task.task) ?? task.stateReason;
    case State.PENDING:
      return task.stateReason || `needs ${task.spec?.needs.join(", ") ?? ""}`;
    case State.BACKING_OFF: {
      const leftMs = (task.readyTime?.getTime() ?? now) - now;
      const when = leftMs > 0 ? `in ${formatDuration(leftMs)}` : "now";
      return task.stateReason === "" ? when : `${when}: ${task.stateReason}`;
    }
    default:
      return task.stateReason;
  }
}

function took(task: registry.Task, now: number): string {
  if (task.startTime === undefined) return "";
  if (task.endTime !== undefined) return formatDuration(task.endTime.getTime() - task.startTime.getTime());
  return task.state === State.RUNNING ? formatDuration(now - task.startTime.getTime()) : "";
}
