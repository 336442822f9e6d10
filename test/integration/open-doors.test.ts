import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { start } from "./harness/command.js";

it.each(["registry", "pool-manager", "scheduler", "metrics"])(
  "%s doesn't listen to other machines without a token, and says what to do",
  async (name) => {
    const main = fileURLToPath(new URL(`../../services/${name}/dist/main.js`, import.meta.url));
    const { PATH = "" } = process.env;
    const { code, out, error } = await start(process.execPath, [main, "--host", "0.0.0.0"], {
      cwd: process.cwd(),
      environment: { PATH },
    }).ended;
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(error).toMatch(/"0\.0\.0\.0" can be reached from other machines.*BERTH_TOKEN.*--insecure/s);
  },
);
