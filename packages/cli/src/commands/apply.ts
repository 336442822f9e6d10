import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { type Io, paint, printJson, say } from "../io.js";
import type { GlobalOptions } from "../places.js";
import { readConfig } from "../settings.js";

/** `berth apply FILE`: shows how Berth differs from the file, then makes it so. */
export async function apply(
  file: string,
  options: GlobalOptions & { dryRun?: boolean; reason?: string },
  io: Io,
): Promise<number> {
  const { applyPlan, describeStep, planCatalogue } = await import("@berth/standalone/catalogue");
  const config = await readConfig({ file, environment: {} });
  return withClient(options, io, async (client) => {
    const plan = await planCatalogue(config, client);
    if (options.json !== true) {
      for (const step of plan.steps)
        say(io, paint(io, step.action === "create" ? "green" : "yellow", describeStep(step)));
      for (const name of plan.kept) say(io, paint(io, "dim", `  ${name}: not in the file, stays`));
    }
    if (plan.impossible.length > 0) throw new UsageError(`${plan.impossible.join("\n")}\nnothing was changed`, 1);
    const done = options.dryRun !== true && plan.steps.length > 0;
    if (done) await applyPlan(config, plan.steps, client, options.reason ?? `applied from ${file}`);
    if (options.json === true) printJson(io, { ...plan, applied: done });
    else if (plan.steps.length === 0) say(io, `Berth is as ${file} says`);
    else
      say(
        io,
        done
          ? `${plan.steps.length} applied`
          : `${plan.steps.length} would be applied; nothing was changed (--dry-run)`,
      );
    return 0;
  });
}
