import { columns, lastOf, type PostgresDatabase, type Run, type Session, toColumn } from "@berth/chassis/postgres";
import type { LogPiece, LogStore, LogTotals } from "../engine/logs.js";
import { headMax, type Kept, nothingKept, split, tailMax } from "./log-cut.js";

/** Oldest pieces of a tail that one look considers. */
const lookMax = 200;

interface Attempt {
  readonly key: string;
  readonly attempt: number;
  kept: Kept;
  /** Bytes that its task keeps. */
  readonly limitBytes: number;
}

interface Part {
  readonly key: string;
  readonly attempt: number;
  readonly stderr: boolean;
  readonly at: number;
  readonly data: Buffer;
}

const idOf = ({ key, attempt }: { readonly key: string; readonly attempt: number }): string => `${key} ${attempt}`;

/** Output in two tables of the registry's schema: head and tail of each attempt. On a connection of its own, so that it never delays a commit. */
export class PostgresLogStore implements LogStore {
  private readonly open: () => Promise<PostgresDatabase>;
  private session: Promise<Session> | undefined;

  /** `open` gives the database, which is somebody else's to close. */
  constructor(open: () => Promise<PostgresDatabase>) {
    this.open = open;
  }

  async append(pieces: readonly LogPiece[], limitOf: (key: string) => number): Promise<void> {
    if (pieces.length === 0) return;
    await (await this.writer()).transaction(async (run) => {
      const attempts = await lockAttempts(run, pieces, limitOf);
      const parts: Part[] = [];
      for (const piece of pieces) {
        const attempt = attempts.get(idOf(piece));
        if (!attempt) continue;
        const { parts: fresh, kept } = split(attempt.kept, piece, attempt.limitBytes);
        attempt.kept = kept;
        const { key, stderr } = piece;
        for (const part of fresh) parts.push({ key, attempt: piece.attempt, stderr, ...part });
      }
      if (parts.length === 0) return;
      await insert(run, parts);
      for (const attempt of attempts.values()) await trim(run, attempt);
      await putAttempts(run, [...attempts.values()]);
    });
  }

  async totals(key: string, attempt: number): Promise<LogTotals | undefined> {
    const [kept] = await (await this.open()).read<Kept>({
      text: `SELECT next_at AS "nextAt", head, tail FROM log_attempts WHERE key = $1 AND attempt = $2`,
      values: [toColumn(key), attempt],
    });
    return kept && { nextOffset: kept.nextAt, keptBytes: kept.head + kept.tail };
  }

  async read(key: string, attempt: number, fromOffset: number, max: number): Promise<LogPiece[]> {
    const rows = await (await this.open()).read<{ at: number; stderr: boolean; data: Uint8Array }>({
      text: "SELECT at, stderr, data FROM log_pieces WHERE key = $1 AND attempt = $2 AND at >= $3 ORDER BY at LIMIT $4",
      values: [toColumn(key), attempt, fromOffset, max],
    });
    return rows.map(({ at, stderr, data }) => ({ key, attempt, offset: at, data, stderr }));
  }

  async remove(keys: readonly string[]): Promise<void> {
    await (await this.writer()).run({
      text: `WITH pieces AS (DELETE FROM log_pieces WHERE key = ANY ($1::text[]))
        DELETE FROM log_attempts WHERE key = ANY ($1::text[])`,
      values: [keys.map(toColumn)],
    });
  }

  async close(): Promise<void> {
    await (await this.session?.catch(() => undefined))?.close();
  }

  /** One for all: what is appended keeps its order. */
  private writer(): Promise<Session> {
    this.session ??= this.open().then(
      (database) => database.session("output"),
      (error: unknown) => {
        this.session = undefined;
        throw error;
      },
    );
    return this.session;
  }
}

/** What is kept of each attempt, locked against another writer. In one order everywhere, so that two can't wait for each other. */
async function lockAttempts(
  run: Run,
  pieces: readonly LogPiece[],
  limitOf: (key: string) => number,
): Promise<Map<string, Attempt>> {
  const wanted = lastOf(pieces, idOf).sort((left, right) => (idOf(left) < idOf(right) ? -1 : 1));
  const names = columns(
    wanted,
    ({ key }) => toColumn(key),
    ({ attempt }) => attempt,
  );
  await run({
    text: `INSERT INTO log_attempts (key, attempt, next_at, head, tail)
      SELECT u.key, u.attempt, 0, 0, 0 FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(key, attempt, place) ORDER BY place
      ON CONFLICT (key, attempt) DO NOTHING`,
    values: names,
  });
  const rows = await run<Kept & { place: number }>({
    text: `SELECT u.place, a.next_at AS "nextAt", a.head, a.tail
      FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(key, attempt, place) JOIN log_attempts a USING (key, attempt)
      ORDER BY u.place FOR UPDATE OF a`,
    values: names,
  });
  const found = new Map(rows.map(({ place, nextAt, head, tail }) => [place, { nextAt, head, tail }]));
  return new Map(
    wanted.map(({ key, attempt }, index) => [
      idOf({ key, attempt }),
      { key, attempt, kept: found.get(index + 1) ?? nothingKept, limitBytes: limitOf(key) },
    ]),
  );
}

async function insert(run: Run, parts: readonly Part[]): Promise<void> {
  await run({
    text: `INSERT INTO log_pieces (key, attempt, at, stderr, data)
      SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::boolean[], $5::bytea[]) ON CONFLICT (key, attempt, at) DO NOTHING`,
    values: columns(
      parts,
      ({ key }) => toColumn(key),
      ({ attempt }) => attempt,
      ({ at }) => at,
      ({ stderr }) => stderr,
      ({ data }) => data,
    ),
  });
}

/** Deletes the oldest pieces of a tail that has become too long. The newest stays, even if it alone is too large: there must be a tail. */
async function trim(run: Run, attempt: Attempt): Promise<void> {
  const { key, attempt: number, limitBytes } = attempt;
  while (attempt.kept.tail > tailMax(limitBytes)) {
    const oldest = await run<{ at: number; bytes: number }>({
      text: "SELECT at, octet_length(data) AS bytes FROM log_pieces WHERE key = $1 AND attempt = $2 AND at >= $3 ORDER BY at LIMIT $4",
      values: [toColumn(key), number, headMax(limitBytes), lookMax],
    });
    const before = attempt.kept.tail;
    let tail = before;
    let last = -1;
    for (const { at, bytes } of oldest) {
      if (tail <= tailMax(limitBytes) || bytes === tail) break;
      tail -= bytes;
      last = at;
    }
    if (tail === before) return;
    await run({
      text: "DELETE FROM log_pieces WHERE key = $1 AND attempt = $2 AND at >= $3 AND at <= $4",
      values: [toColumn(key), number, headMax(limitBytes), last],
    });
    attempt.kept = { ...attempt.kept, tail };
  }
}

async function putAttempts(run: Run, attempts: readonly Attempt[]): Promise<void> {
  await run({
    text: `UPDATE log_attempts a SET next_at = u.next_at, head = u.head, tail = u.tail
      FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[]) AS u(key, attempt, next_at, head, tail)
      WHERE a.key = u.key AND a.attempt = u.attempt`,
    values: columns(
      attempts,
      ({ key }) => toColumn(key),
      ({ attempt }) => attempt,
      ({ kept }) => kept.nextAt,
      ({ kept }) => kept.head,
      ({ kept }) => kept.tail,
    ),
  });
}
