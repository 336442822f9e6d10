// A workload that leaves a record: appends when it began and when it ended, by the clock that all processes of a machine share.
// Usage: node record.mjs FILE MILLISECONDS [TOGETHER]; with TOGETHER the time begins when that many have begun and not ended.
import { appendFileSync, readFileSync } from "node:fs";

const [file, milliseconds, together = "1"] = process.argv.slice(2);
const { BERTH_TASK: task, BERTH_ATTEMPT: attempt, BERTH_POOL: pool, BERTH_LEASE: lease } = process.env;
const line = (kind) =>
  `${JSON.stringify({ kind, task, attempt: Number(attempt), pool, lease, pid: process.pid, atNs: String(process.hrtime.bigint()) })}\n`;

appendFileSync(file, line("start"));
const count = (text, kind) => text.split(`"kind":"${kind}"`).length - 1;
const look = () => {
  const text = readFileSync(file, "utf8");
  if (count(text, "start") - count(text, "end") < Number(together)) setTimeout(look, 20);
  else setTimeout(() => appendFileSync(file, line("end")), Number(milliseconds));
};
look();
