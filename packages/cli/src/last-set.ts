// What `@last` means: the set that this user submitted last to this Berth. The registry's newest may be somebody else's, and
// cancelling that by a short word would be a bad surprise.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { BerthClient } from "@berth/client";

/**
 * Where it is kept: in the data folder where there is one (whoever may read its token is one user), otherwise in a file a Berth
 * in the user's state folder (`XDG_STATE_HOME`, by default ~/.local/state).
 */
export function lastSetFile(client: Pick<BerthClient, "endpoints">, environment: NodeJS.ProcessEnv): string {
  const { addresses, dataFolder } = client.endpoints;
  if (dataFolder !== undefined) return join(dataFolder, "last-set");
  const state = environment.XDG_STATE_HOME || join(environment.HOME || homedir(), ".local", "state");
  return join(state, "berth", `last-set-${createHash("sha256").update(addresses.registry).digest("hex").slice(0, 16)}`);
}

/** Remembers it. A folder that can't be written costs `@last`, not the submission. */
export function rememberLastSet(
  client: Pick<BerthClient, "endpoints">,
  environment: NodeJS.ProcessEnv,
  set: string,
): void {
  const file = lastSetFile(client, environment);
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${set}\n`);
  } catch {
    // Nothing to say: `@last` tells that it knows none.
  }
}

/** The last set; undefined if none is known. */
export function lastSet(client: Pick<BerthClient, "endpoints">, environment: NodeJS.ProcessEnv): string | undefined {
  try {
    return readFileSync(lastSetFile(client, environment), "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
