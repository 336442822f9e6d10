/** What kept a database file from being used, with its path and what to do. */
export class StoreUnusable extends Error {
  override readonly name = "StoreUnusable";
}

const restore = "restore a copy of the whole data folder, or start with another one";

/** What an error of SQLite means to whoever runs the program, by the beginning of its code. The first that fits. */
const meanings: readonly (readonly [code: string, meaning: (path: string, message: string) => string])[] = [
  ["SQLITE_NOTADB", (path, message) => `${path} is damaged (${message}): ${restore}`],
  ["SQLITE_CORRUPT", (path, message) => `${path} is damaged (${message}): ${restore}`],
  ["SQLITE_FULL", (path) => `${path} can't be written, because its disk is full: free some space`],
  ["SQLITE_IOERR", (path, message) => `${path} can't be read or written (${message}): is its disk full or failing?`],
  ["SQLITE_READONLY", (path) => `${path} may not be written: change its permissions and those of its folder`],
  ["SQLITE_CANTOPEN", (path) => `${path} can't be opened: it must be a file that you may read and write`],
];

/** An error of SQLite in words that name the file and say what to do; another error as it is. */
export function storeTrouble(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  // libsql gives no code of SQLite's to a file that it can't open.
  const code = error.message.startsWith("ConnectionFailed") ? "SQLITE_CANTOPEN" : String(error.code);
  const meaning = meanings.find(([begin]) => code.startsWith(begin))?.[1];
  return meaning === undefined ? error : new StoreUnusable(meaning(path, error.message), { cause: error });
}

/** Runs `body`; an error of SQLite names the file. */
export function naming<Result>(path: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    throw storeTrouble(path, error);
  }
}
