import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** Most bytes of a log file; then it is put aside as `.1`, in the place of the one before. */
export const logFileBytesMax = 16 * 1_024 * 1_024;

/** A log file that never grows without bound, and whose failure (a full disk) never stops Berth. */
export class LogFile {
  readonly path: string;
  readonly #bytesMax: number;
  #file: number | undefined;
  #bytes = 0;
  /** True if the last line may have been written in part. */
  #torn = false;

  /** Opens it for appending. Throws if that can't be done. */
  constructor(path: string, bytesMax = logFileBytesMax) {
    this.path = path;
    this.#bytesMax = bytesMax;
    this.#open();
  }

  /** Appends one line. */
  write(line: string): void {
    if (this.#file === undefined) return;
    try {
      if (this.#bytes > 0 && this.#bytes + line.length > this.#bytesMax) this.#putAside();
      // A torn line ends first, so that this one stays readable.
      const text = this.#torn ? `\n${line}` : line;
      const written = writeSync(this.#file, text);
      this.#bytes += written;
      this.#torn = written < Buffer.byteLength(text);
    } catch {
      // There is nowhere left to say it; what was lost is a log line.
    }
  }

  /** Closes it. Safe to call twice. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    this.#file = openSync(this.path, "a", 0o600);
    this.#bytes = fstatSync(this.#file).size;
  }

  #putAside(): void {
    this.close();
    renameSync(this.path, `${this.path}.1`);
    this.#open();
  }
}
