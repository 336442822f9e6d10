import type { EngineStore, Group, Loaded, Migration, Position } from "@berth/chassis/engine";
import { PostgresLead, PostgresOpener, type PostgresTarget } from "@berth/chassis/postgres";

const migrations: readonly Migration[] = [{ version: 1, sql: PostgresLead.sql }];
const commit = { name: "lead", text: PostgresLead.statement("nothing AS (SELECT n FROM moved)") };

/** The leader row of the scheduler, and nothing else: it has no state at rest, but must be the only one all the same. */
export class LeaderRow implements EngineStore<never, never> {
  private readonly opener: PostgresOpener<PostgresLead>;

  /** The schema is opened, and made if it isn't there, at the first use. */
  constructor(target: PostgresTarget) {
    this.opener = new PostgresOpener(target, migrations, (database) => new PostgresLead(database));
  }

  async lead(holder: string, seen?: number): Promise<Loaded<never, never>> {
    const { epoch, n } = await (await this.opener.open()).take(holder, seen);
    return { epoch, n, rows: [], groups: [] };
  }

  async commit(group: Group<never, never>): Promise<void> {
    await (await this.opener.open()).commit(group, undefined, { ...commit, values: [] });
  }

  async position(): Promise<Position> {
    const { epoch, n, holder } = await (await this.opener.open()).position();
    return { epoch, n, holder };
  }

  async resign(epoch: number): Promise<void> {
    await (await this.opener.open()).resign(epoch);
  }

  close(): Promise<void> {
    return this.opener.close();
  }
}
