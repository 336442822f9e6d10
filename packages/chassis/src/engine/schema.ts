/** One step forward of a schema. */
export interface Migration {
  /** 1 and more, growing by one. */
  readonly version: number;
  /** Statements, run in one transaction. Never changed once released. */
  readonly sql: string;
}

/** What is at rest was written by a newer program. It is left untouched. */
export class SchemaTooNew extends Error {
  override readonly name = "SchemaTooNew";

  constructor(where: string, version: number, newest: number) {
    super(
      `${where} has schema version ${version}, this program knows up to ${newest}: start a program at least as new as the one that wrote it`,
    );
  }
}

/** The steps that are still to be taken, in order. @throws SchemaTooNew if there is nothing to go forward to. */
export function stepsFrom(version: number, migrations: readonly Migration[], where: string): readonly Migration[] {
  const newest = migrations.at(-1)?.version ?? 0;
  if (version > newest) throw new SchemaTooNew(where, version, newest);
  return migrations.filter((migration) => migration.version > version);
}
