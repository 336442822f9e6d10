import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findNatsServer } from "./find.js";
import { freePort } from "./port.js";
import { type Program, startProgram } from "./program.js";

/** How a server is started. */
export interface ServerOptions {
  /** Where it keeps its store and log; made if absent. */
  readonly folder: string;
  /** Port on 127.0.0.1. Default: a free one. A server keeps its port for its whole life. */
  readonly port?: number;
}

/** How a nats-server is started. */
export interface NatsOptions extends ServerOptions {
  /** Its users: a configuration file, and the variables that it takes. Default: everybody may everything. */
  readonly accounts?: { readonly file: string; readonly environment: Readonly<Record<string, string>> };
}

/** A nats-server with JetStream, on loopback. */
export interface NatsServer {
  /** Such as `nats://127.0.0.1:21234`. */
  readonly url: string;
  readonly port: number;
  /** Process id while it runs. */
  readonly pid: number | undefined;
  /** Starts it again on the same port; with `empty`, after throwing its store away. Does nothing while it runs. */
  start(options?: { readonly empty?: boolean }): Promise<void>;
  /** Stops it in good order. */
  stop(): Promise<void>;
  /** Stops it with SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/**
 * Starts nats-server with JetStream.
 * @throws Error if the program isn't on this machine, and {@link NotReady} if it doesn't get ready.
 */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const server = new RunningNats(options.folder, options.port ?? (await freePort()), options.accounts);
  await server.start();
  return server;
}

class RunningNats implements NatsServer {
  readonly url: string;
  readonly port: number;
  private readonly folder: string;
  private readonly accounts: NatsOptions["accounts"];
  private program: Program | undefined;

  constructor(folder: string, port: number, accounts: NatsOptions["accounts"]) {
    this.accounts = accounts;
    this.folder = folder;
    this.port = port;
    this.url = `nats://127.0.0.1:${port}`;
  }

  get pid(): number | undefined {
    return this.program?.pid;
  }

  async start(options: { readonly empty?: boolean } = {}): Promise<void> {
    if (this.program) return;
    const file = findNatsServer();
    if (!file) throw new Error("nats-server isn't on this machine; run: node scripts/install-servers.mjs");
    const store = join(this.folder, "store");
    if (options.empty) rmSync(store, { recursive: true, force: true });
    mkdirSync(store, { recursive: true });
    const program = await startProgram({
      file,
      args: [
        ...(this.accounts ? ["--config", this.accounts.file] : []),
        "--jetstream",
        "--store_dir",
        store,
        "--addr",
        "127.0.0.1",
        "--port",
        String(this.port),
      ],
      ...(this.accounts && { environment: { ...process.env, ...this.accounts.environment } }),
      readyLine: "Server is ready",
      log: join(this.folder, "nats-server.log"),
      signalAtOurDeath: "SIGKILL",
    });
    this.program = program;
    void program.ended.then(() => {
      if (this.program === program) this.program = undefined;
    });
  }

  stop(): Promise<void> {
    return this.end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.end("SIGKILL");
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { program } = this;
    program?.signal(signal);
    await program?.ended;
  }
}
