// A few lines at the bottom of a terminal that are drawn over and over, without flicker.
import type { Io } from "./io.js";
import { settled, shown } from "./terminal/escape.js";

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const eraseToEndOfLine = "\u001b[K";
const eraseBelow = "\u001b[J";

/** Draws lines in place: each is written over the one before and only its rest is erased, in one write. */
export class Screen {
  readonly #io: Io;
  #height = 0;
  #hidden = false;

  constructor(io: Io) {
    this.#io = io;
  }

  /** Draws these lines in the place of those before. */
  draw(lines: readonly string[]): void {
    const start = this.#hidden ? "" : hideCursor;
    this.#hidden = true;
    const drawn = lines.map((line) => `${shown(settled(line))}${eraseToEndOfLine}\n`);
    this.#io.writeRaw(start + this.#home() + drawn.join("") + eraseBelow);
    this.#height = lines.length;
  }

  /** Takes the lines away and gives the cursor back. */
  clear(): void {
    if (!this.#hidden) return;
    this.#io.writeRaw(this.#home() + eraseBelow + showCursor);
    this.#height = 0;
    this.#hidden = false;
  }

  /** Leaves the lines as they are and gives the cursor back. */
  finish(): void {
    if (!this.#hidden) return;
    this.#io.writeRaw(showCursor);
    this.#height = 0;
    this.#hidden = false;
  }

  #home(): string {
    return this.#height === 0 ? "" : `\u001b[${this.#height}A\r`;
  }
}
