// The one place where this process writes. A reader that went away isn't told anything more; what can't be written is said once, and the
// process then ends with a code that says so.
import type { Writable } from "node:stream";

/** Exit code of a call whose output couldn't be written. */
export const cantWriteCode = 1;

/** Standard output or standard error. */
export class Output {
  readonly #stream: Writable;
  readonly #ended = new AbortController();
  readonly #onFailure: (error: NodeJS.ErrnoException) => void;
  #failed = false;

  /** `onFailure` hears, once, of a failure other than a reader that went away. */
  constructor(stream: Writable, onFailure: (error: NodeJS.ErrnoException) => void) {
    this.#stream = stream;
    this.#onFailure = onFailure;
    stream.on("error", (error) => this.#end(error));
  }

  /** Writes, unless it has ended. */
  write(data: string | Uint8Array): void {
    if (this.#ended.signal.aborted || data.length === 0) return;
    try {
      this.#stream.write(data);
    } catch (error) {
      // Files are written at once, and fail at once.
      this.#end(error as NodeJS.ErrnoException);
    }
  }

  /** Resolves when everything has been written, or can't be. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended.signal.aborted) return resolve();
      this.#ended.signal.addEventListener("abort", () => resolve(), { once: true });
      this.#stream.write("", () => resolve());
    });
  }

  /** Aborts when nothing can be written any more: the reader went away, or writing failed. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** True if something couldn't be written, though somebody may have waited for it. */
  get failed(): boolean {
    return this.#failed;
  }

  #end(error: NodeJS.ErrnoException): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    if (error.code === "EPIPE" || error.code === "ECONNRESET") return;
    this.#failed = true;
    this.#onFailure(error);
  }
}

const why: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the device",
  EIO: "the device reports an error",
  EBADF: "it is closed",
  EFBIG: "the file would be larger than is allowed",
  EDQUOT: "the quota is used up",
};

/** What is said of a failure. */
export function cantWrite(error: NodeJS.ErrnoException): string {
  return `can't write to standard output: ${why[error.code ?? ""] ?? error.message}; nothing more is written`;
}
