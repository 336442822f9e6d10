import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What earlier incarnations may have left alive. */
export interface Leftovers {
  /** Incarnations whose processes haven't been confirmed dead. */
  readonly incarnations: readonly string[];
  /** Process groups with the start time of their leaders. */
  readonly groups: ReadonlyMap<number, string>;
}

type Line = { incarnation: string; boot: string } | { add: number; start: string } | { gone: number };

const compactBytes = 1024 * 1024;

/**
 * The groups that are alive, in `groups.jsonl` of the data folder, so that the next start finds them if runner and guard die together.
 * It isn't fsynced for each run: it must outlive processes, and a power loss ends the processes too.
 */
export class GroupFile {
  private readonly path: string;
  private file: number | undefined;
  private bytes = 0;
  private readonly groups = new Map<number, string>();
  private incarnation = "";

  constructor(folder: string) {
    this.path = join(folder, "groups.jsonl");
  }

  /** Reads what earlier incarnations of this boot of the machine left; lines that can't be read are skipped. */
  leftovers(): Leftovers {
    const incarnations: string[] = [];
    const groups = new Map<number, string>();
    for (const line of this.lines()) {
      if ("incarnation" in line) {
        if (line.boot === bootId()) incarnations.push(line.incarnation);
        else groups.clear();
      } else if ("add" in line) groups.set(line.add, line.start);
      else groups.delete(line.gone);
    }
    return { incarnations, groups: incarnations.length === 0 ? new Map() : groups };
  }

  /** Begins an incarnation: everything of earlier ones is known to be dead. */
  begin(incarnation: string): void {
    this.incarnation = incarnation;
    this.groups.clear();
    this.rewrite();
  }

  /** A run has begun in a group. */
  add(group: number, start: string): void {
    this.groups.set(group, start);
    this.append({ add: group, start });
  }

  /** A group is empty. */
  gone(group: number): void {
    if (!this.groups.delete(group)) return;
    this.append({ gone: group });
    if (this.bytes > compactBytes) this.rewrite();
  }

  /** Groups that are alive. */
  get alive(): ReadonlyMap<number, string> {
    return this.groups;
  }

  /** Closes the file. */
  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private append(line: Line): void {
    if (this.file === undefined) return;
    try {
      this.bytes += writeSync(this.file, `${JSON.stringify(line)}\n`);
    } catch {
      // A full disk: the marker still finds what this line would have named.
    }
  }

  private rewrite(): void {
    const lines: Line[] = [{ incarnation: this.incarnation, boot: bootId() }];
    for (const [group, start] of this.groups) lines.push({ add: group, start });
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const next = `${this.path}.next`;
    writeFileSync(next, text, { mode: 0o600, flush: true });
    renameSync(next, this.path);
    this.close();
    this.file = openSync(this.path, "a", 0o600);
    fsyncSync(this.file);
    this.bytes = text.length;
  }

  private lines(): Line[] {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch {
      return [];
    }
    return text.split("\n").flatMap((line) => {
      try {
        return [JSON.parse(line) as Line];
      } catch {
        return [];
      }
    });
  }
}

/** Changes with every boot: group numbers and start times mean nothing across one. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
