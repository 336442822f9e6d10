import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findPostgresFolder } from "./find.js";
import type { ServerOptions } from "./nats.js";
import { answers, freePort } from "./port.js";
import { NotReady, type Program, startProgram } from "./program.js";
import { type Account, giveFolder, runAs, unprivileged } from "./unprivileged.js";

/** A PostgreSQL cluster of its own, on loopback, `fsync` on. */
export interface PostgresServer {
  /** `postgres://berth:password@127.0.0.1:port/berth`; the user owns everything, the database exists. */
  readonly url: string;
  readonly port: number;
  /** Process id of the postmaster while it runs. */
  readonly pid: number | undefined;
  /** Starts it again on the same port and data. Does nothing while it runs. */
  start(): Promise<void>;
  /** Stops it: connections are cut and the rest written; with `immediate`, as `pg_ctl stop -m immediate`, so that it recovers at the start. */
  stop(options?: { readonly immediate?: boolean }): Promise<void>;
  /** Stops the postmaster with SIGKILL; its backends notice and end by themselves. */
  kill(): Promise<void>;
}

/**
 * Starts PostgreSQL on the cluster in `folder`, which is made if absent.
 * @throws Error if its programs aren't on this machine, and {@link NotReady} if it doesn't get ready.
 */
export async function startPostgres(options: ServerOptions): Promise<PostgresServer> {
  const programs = findPostgresFolder();
  if (!programs) throw new Error("PostgreSQL isn't on this machine; run: node scripts/install-servers.mjs");
  const account = unprivileged();
  const password = makeCluster(programs, options.folder, account);
  const server = new RunningPostgres({
    programs,
    folder: options.folder,
    account,
    password,
    port: options.port ?? (await freePort()),
  });
  await server.start();
  return server;
}

/** Makes the cluster with its user and password, unless it is there; returns the password. */
function makeCluster(programs: string, folder: string, account: Account | undefined): string {
  const data = join(folder, "data");
  const passwordFile = join(data, "berth-password");
  if (existsSync(join(data, "PG_VERSION"))) return readFileSync(passwordFile, "utf8").trim();
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (account) giveFolder(data, account);
  const password = randomBytes(16).toString("hex");
  const initial = join(folder, "initial-password");
  writeFileSync(initial, password, { mode: 0o600 });
  if (account) giveFolder(initial, account);
  const args = ["--pgdata", data, "--username", "berth", "--auth", "scram-sha-256", "--pwfile", initial];
  // The cluster's files needn't reach the disk before it is used; what the server writes later does (fsync stays on).
  runAs(account, join(programs, "initdb"), [...args, "--encoding", "UTF8", "--locale", "C", "--no-sync"]);
  runAs(account, join(programs, "postgres"), ["--single", "-D", data, "postgres"], "CREATE DATABASE berth;\n");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  return password;
}

interface Cluster {
  readonly programs: string;
  readonly folder: string;
  readonly account: Account | undefined;
  readonly password: string;
  readonly port: number;
}

class RunningPostgres implements PostgresServer {
  readonly url: string;
  readonly port: number;
  private readonly cluster: Cluster;
  private program: Program | undefined;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.port = cluster.port;
    this.url = `postgres://berth:${cluster.password}@127.0.0.1:${cluster.port}/berth`;
  }

  get pid(): number | undefined {
    return this.program?.pid;
  }

  async start(): Promise<void> {
    if (this.program) return;
    const program = await this.startOnceBackendsAreGone();
    this.program = program;
    void program.ended.then(() => {
      if (this.program === program) this.program = undefined;
    });
  }

  async stop(options: { readonly immediate?: boolean } = {}): Promise<void> {
    await this.end(options.immediate ? "SIGQUIT" : "SIGINT");
  }

  kill(): Promise<void> {
    return this.end("SIGKILL");
  }

  /** After SIGKILL of the postmaster its backends hold the shared memory for a moment, and a new one refuses to start. */
  private async startOnceBackendsAreGone(): Promise<Program> {
    for (let attemptsLeft = 50; ; attemptsLeft--) {
      try {
        return await this.startNow();
      } catch (error) {
        const held = error instanceof NotReady && error.message.includes("pre-existing shared memory block");
        if (!held || attemptsLeft === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  private startNow(): Promise<Program> {
    const { programs, folder, account, port } = this.cluster;
    const settings = {
      listen_addresses: "127.0.0.1",
      port: String(port),
      unix_socket_directories: "",
      fsync: "on",
      synchronous_commit: "on",
      max_connections: "100",
      lc_messages: "C",
    };
    return startProgram({
      file: join(programs, "postgres"),
      args: [
        "-D",
        join(folder, "data"),
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      readyLine: "database system is ready to accept connections",
      log: join(folder, "postgres.log"),
      signalAtOurDeath: "SIGQUIT",
      ...(account ? { user: account } : {}),
    });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { program } = this;
    program?.signal(signal);
    await program?.ended;
    // A session that was forked just before a SIGKILL holds the listening socket until it has noticed.
    while (program && (await answers(this.port))) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
