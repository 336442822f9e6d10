// @ts-check
// The guard: one small process per runner, in a session of its own. It reads JSON lines from its standard input, which only
// the runner holds open, and does one thing: when the deadline passes, or the pipe closes, it SIGKILLs everything that the
// runner has started, until nothing is left. It shares no event loop with anything that could block.
import { createInterface } from "node:readline";
import { groupAlive, intervalMs, markedProcesses, readProcess, send, signalGroup, uptimeMs } from "./processes.mjs";

/** Longest time between two looks at the clock that counts suspend. */
const LOOK_MS = 500;
/** Pause between two rounds of killing; grows, because what survives SIGKILL sits in the kernel. */
const ROUND_MS = 10;
const ROUND_MAX_MS = 1_000;

/** @type {Map<number, string>} */
const groups = new Map();
/** @type {{ interval: number, uptime: number | undefined } | undefined} */
let deadline;
let incarnation = "";
let handlersRunning = false;
/** @type {{ pid: number, start: string } | undefined} */
let runner;
let closed = false;
let roundMs = ROUND_MS;
/** @type {NodeJS.Timeout | undefined} */
let timer;

for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"]))
  process.on(signal, () => {});
process.stdout.on("error", () => {});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    take(JSON.parse(line));
    look();
  })
  .on("close", () => {
    closed = true;
    look();
  });
process.stdin.on("error", () => {
  closed = true;
  look();
});
process.stdout.write('{"ready":true}\n');

/** @param {any} message */
function take(message) {
  if (message.runner !== undefined) runner = message.runner;
  if (message.incarnation !== undefined) incarnation = message.incarnation;
  if (message.add !== undefined) groups.set(message.add, message.start);
  if (message.gone !== undefined) groups.delete(message.gone);
  if (message.handlers !== undefined) handlersRunning = message.handlers;
  if (message.deadline !== undefined) {
    deadline = message.deadline;
    roundMs = ROUND_MS;
  }
  if (message.ask !== undefined) process.stdout.write(`{"answer":${Number(message.ask)}}\n`);
}

function look() {
  clearTimeout(timer);
  if (!closed && !expired()) {
    const left = deadline === undefined ? LOOK_MS : Math.max(deadline.interval - intervalMs(), 0);
    timer = setTimeout(look, Math.min(left, LOOK_MS));
    return;
  }
  const left = killAll();
  if (closed && left === 0) process.exit(0);
  roundMs = left === 0 ? ROUND_MAX_MS : Math.min(roundMs * 2, ROUND_MAX_MS);
  timer = setTimeout(look, left === 0 ? LOOK_MS : roundMs);
}

function expired() {
  if (deadline === undefined) return false;
  if (intervalMs() >= deadline.interval) return true;
  const uptime = uptimeMs();
  return deadline.uptime !== undefined && uptime !== undefined && uptime >= deadline.uptime;
}

/** Kills once everything known; returns how much was still there. */
function killAll() {
  let left = 0;
  // The runner first: it must not start another run while its runs are being killed.
  if (handlersRunning && !closed && runner !== undefined && readProcess(runner.pid)?.start === runner.start) {
    send(runner.pid);
    left += 1;
  }
  for (const [group, start] of groups) {
    if (signalGroup(group, start) && groupAlive(group)) left += 1;
  }
  if (incarnation !== "") {
    for (const marked of markedProcesses([incarnation])) {
      send(marked.pid);
      left += 1;
    }
  }
  return left;
}
