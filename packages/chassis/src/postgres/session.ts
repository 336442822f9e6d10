import pg from "pg";
import { asDatabaseError, DatabaseError } from "./errors.js";

/** A statement with its values; with a name, the server parses it once per connection. */
export interface Statement {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
}

/** Runs a statement. Rejects with DatabaseError. */
export type Run = <Row = never>(statement: Statement) => Promise<Row[]>;

/** Longest wait for a connection to say goodbye. */
const endMs = 1_000;

/**
 * One connection for one purpose, opened when it is needed and again after it was lost. What is asked of it happens in that order, one after
 * the other.
 */
export class Session {
  private readonly config: pg.ClientConfig;
  private client: pg.Client | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(config: pg.ClientConfig) {
    this.config = config;
  }

  /** Runs one statement, a transaction by itself. */
  run<Row = never>(statement: Statement): Promise<Row[]> {
    return this.inTurn((client) => ask<Row>(client, statement));
  }

  /** Runs several in one transaction, rolled back if `work` rejects. */
  transaction<Value>(work: (run: Run) => Promise<Value>, begin = "BEGIN"): Promise<Value> {
    return this.inTurn(async (client) => {
      await ask(client, { text: begin });
      const value = await work((statement) => ask(client, statement)).catch(async (error: unknown) => {
        await ask(client, { text: "ROLLBACK" }).catch(() => this.drop(client));
        throw error;
      });
      await ask(client, { text: "COMMIT" });
      return value;
    });
  }

  /** Closes the connection after what is under way. Safe to call twice. */
  async close(): Promise<void> {
    this.closed = true;
    await this.last;
    const { client } = this;
    this.client = undefined;
    if (client) await end(client);
  }

  private inTurn<Value>(work: (client: pg.Client) => Promise<Value>): Promise<Value> {
    const turn = this.last.then(async () => {
      const client = await this.connected();
      try {
        return await work(client);
      } catch (error) {
        // After anything but an answer of the server nobody knows what the connection is in the middle of.
        if (error instanceof DatabaseError && !error.answered) this.drop(client);
        throw error;
      }
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async connected(): Promise<pg.Client> {
    if (this.client) return this.client;
    if (this.closed) throw asDatabaseError(new Error("the store is closed"));
    const client = new pg.Client(this.config);
    // Without a listener a connection that breaks while it idles would end the process.
    client.on("error", () => this.drop(client));
    try {
      await client.connect();
    } catch (error) {
      destroy(client);
      throw asDatabaseError(error);
    }
    this.client = client;
    return client;
  }

  private drop(client: pg.Client): void {
    if (this.client === client) this.client = undefined;
    destroy(client);
  }
}

/** Runs a statement on a client. Rejects with DatabaseError. */
export async function ask<Row>(client: pg.ClientBase, { text, name, values }: Statement): Promise<Row[]> {
  try {
    const query = { text, ...(name !== undefined && { name }), ...(values && { values: [...values] }) };
    return (await client.query(query)).rows as Row[];
  } catch (error) {
    throw asDatabaseError(error);
  }
}

async function end(client: pg.Client): Promise<void> {
  const tooLong = setTimeout(() => destroy(client), endMs);
  await client.end().catch(() => undefined);
  clearTimeout(tooLong);
}

function destroy(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  stream.destroy();
}
