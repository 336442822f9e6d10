import type { Migration } from "../engine/schema.js";
import { openPostgres, type PostgresDatabase } from "./database.js";
import type { PostgresTarget } from "./target.js";

/** Opens a schema at its first use, and again at the next if that failed. */
export class PostgresOpener<Opened> {
  private readonly make: () => Promise<{ readonly database: PostgresDatabase; readonly opened: Opened }>;
  private opening: ReturnType<PostgresOpener<Opened>["make"]> | undefined;
  private closed = false;

  /** `use` makes of the database what the store works with. */
  constructor(target: PostgresTarget, migrations: readonly Migration[], use: (database: PostgresDatabase) => Opened) {
    this.make = async () => {
      const database = await openPostgres(target, migrations);
      return { database, opened: use(database) };
    };
  }

  /** What is open. Rejects with what {@link openPostgres} throws. */
  async open(): Promise<Opened> {
    if (this.closed) throw new Error("the store is closed");
    this.opening ??= this.make().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return (await this.opening).opened;
  }

  /** Closes it for good. Safe to call twice. */
  async close(): Promise<void> {
    this.closed = true;
    await (await this.opening?.catch(() => undefined))?.database.close();
  }
}
