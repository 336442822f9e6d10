import { bugs } from "./bugs.js";
import { Incidents } from "./incidents.js";
import { simulate } from "./simulate.js";

const usage = `Simulates the pool-manager under faults, seed by seed.

  --seeds N    how many seeds (default 1000)
  --from S     the first of them (default 1)
  --bug NAME   with a planted bug: ${bugs.map(({ name }) => name).join(", ")}
  --trace      print the end of the trace of a seed that fails
`;

/** From so many seeds on every fault has to have happened. */
const manySeeds = 50;

function option(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : (process.argv[at + 1] ?? "");
}

function number(name: string, fallback: number): number {
  const text = option(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`--${name} ${text}: must be a whole number of 1 or more\n`);
  process.exit(2);
}

async function main(): Promise<number> {
  if (process.argv.includes("--help")) {
    process.stdout.write(usage);
    return 0;
  }
  const seeds = number("seeds", 1_000);
  const from = number("from", 1);
  const bugName = option("bug");
  const bug = bugs.find(({ name }) => name === bugName);
  if (bugName !== undefined && !bug) {
    process.stderr.write(`--bug ${bugName}: no such bug\n${usage}`);
    return 2;
  }
  const totals: Record<string, number> = {};
  const incidents = new Incidents();
  const beganMs = performance.now();
  let failed = 0;
  let steps = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const result = await simulate(seed, bug);
    steps += result.steps;
    incidents.addAll(result.incidents);
    for (const [name, value] of Object.entries(result.figures)) totals[name] = (totals[name] ?? 0) + value;
    if (!result.violation) continue;
    failed++;
    process.stdout.write(`seed ${seed}: ${result.violation.message}\n`);
    if (process.argv.includes("--trace")) process.stdout.write(`${result.trace.join("\n")}\n`);
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  process.stdout.write(
    `${seeds} seeds from ${from}: ${failed} failed; ${steps} steps, ${(seeds / seconds).toFixed(1)} seeds a second\n`,
  );
  process.stdout.write(
    `${Object.entries(totals)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}\n`,
  );
  process.stdout.write(`${incidents}\n`);
  // Every fault is in about half of the seeds: a range in which one never happened would prove nothing about it.
  const missing = seeds >= manySeeds ? incidents.missing : [];
  if (missing.length > 0) process.stdout.write(`never happened: ${missing.join(", ")}\n`);
  return failed === 0 && missing.length === 0 ? 0 : 1;
}

process.exitCode = await main();
