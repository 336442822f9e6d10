// A workload that leaves a record: appends when it began and when it ended, by the clock that all processes of a machine share.
// Usage: node record.mjs FILE MILLISECONDS
import { appendFileSync } from "node:fs";

const [file, milliseconds] = process.argv.slice(2);
const { BERTH_TASK: task, BERTH_ATTEMPT: attempt, BERTH_POOL: pool, BERTH_LEASE: lease } = process.env;
const line = (kind) =>
  `${JSON.stringify({ kind, task, attempt: Number(attempt), pool, lease, pid: process.pid, atNs: String(process.hrtime.bigint()) })}\n`;

appendFileSync(file, line("start"));
setTimeout(() => appendFileSync(file, line("end")), Number(milliseconds));
