// What standalone itself keeps in the data folder: the token, and where it can be reached.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The four services. */
export type ServiceName = "registry" | "poolManager" | "scheduler" | "metrics";
/** Something for each service. */
export type PerService<T> = Readonly<Record<ServiceName, T>>;

/** Where a running standalone is, as `endpoints.json` has it. */
export interface EndpointsFile {
  readonly pid: number;
  /** gRPC, `host:port`. */
  readonly addresses: PerService<string>;
  /** HTTP, `host:port`. */
  readonly http: PerService<string>;
  /** While it stops: when it is over at the latest, ISO 8601. */
  readonly stopsBy?: string;
}

/** The token of the data folder, made at the first start: 32 random bytes, mode 0600. */
export function readOrMakeToken(dataFolder: string): string {
  const path = join(dataFolder, "token");
  if (existsSync(path)) {
    const token = readFileSync(path, "utf8").trim();
    // It may have been copied with looser rights.
    chmodSync(path, 0o600);
    if (token.length >= 32) return token;
  }
  const token = randomBytes(32).toString("base64url");
  replaceFile(path, `${token}\n`);
  return token;
}

/** Tells the CLI and the SDK where everything is. Written last, so that whoever finds it finds all of it ready. */
export function writeEndpoints(dataFolder: string, endpoints: EndpointsFile): void {
  replaceFile(join(dataFolder, "endpoints.json"), `${JSON.stringify(endpoints, undefined, 2)}\n`);
}

/** Takes that back. */
export function removeEndpoints(dataFolder: string): void {
  rmSync(join(dataFolder, "endpoints.json"), { force: true });
}

/** Whole or not at all: a reader never sees half of it. */
function replaceFile(path: string, text: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { mode: 0o600, flush: true });
  renameSync(draft, path);
}
