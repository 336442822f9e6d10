// Brings pools and limits of the file into Berth once. What is changed, or deleted, at run time afterwards isn't undone by a restart.
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseYaml, readText } from "@berth/chassis/config";
import type { Logger } from "@berth/chassis/log";
import type { BerthClient } from "@berth/client";
import { z } from "zod";
import { applyPlan, describeStep, planCatalogue, type Step } from "./catalogue.js";
import type { BerthConfig } from "./config.js";

const fileName = "declared.json";

/** Creates what the file names for the first time; what it named before and Berth has otherwise is only logged. */
export async function declareOnce(
  config: BerthConfig,
  dataFolder: string,
  client: Pick<BerthClient, "pools">,
  logger: Logger,
): Promise<void> {
  const path = join(dataFolder, fileName);
  const before = new Set(existsSync(path) ? parseYaml(readText(path), z.array(z.string()), path) : []);
  const { steps, impossible } = await planCatalogue(config, client);
  const fresh = steps.filter((step) => !before.has(keyOf(step)));
  await applyPlan(config, fresh, client, "from the file");
  for (const step of steps)
    if (before.has(keyOf(step)))
      logger.warn(
        `Berth differs from the file, which only counts at the first start: ${describeStep(step)}. To apply it: berth apply FILE`,
      );
  for (const words of impossible) logger.warn(words);
  // All that the file names, also what needed no step: from now on run-time changes of it win.
  const named = [
    ...Object.keys(config.pools).map((name) => `pool ${name}`),
    ...Object.keys(config.limits).map((name) => `limit ${name}`),
    "limit global",
  ];
  const all = [...new Set([...before, ...named, ...fresh.map(keyOf)])].sort();
  writeFileSync(`${path}.new`, `${JSON.stringify(all, undefined, 2)}\n`, { flush: true });
  renameSync(`${path}.new`, path);
}

function keyOf(step: Step): string {
  return `${step.kind} ${step.name}`;
}
