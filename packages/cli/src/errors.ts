// Errors as people read them: what is wrong, and what to do.
import { describe } from "@berth/chassis/errors";
import { visibleLine } from "@berth/chassis/visible";
import type { ReasonError } from "@berth/client";
import { hint } from "./hints.js";
import type { Io } from "./io.js";

/** A wrong use of the command, or something the user can put right. Exit code 2 unless another is given. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly exitCode: number;
  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What an error says to people, and the exit code: 2 where the input is wrong, 1 otherwise. */
export function describeError(error: unknown, io: Io): { message: string; exitCode: number } {
  if (error instanceof UsageError) return { message: error.message, exitCode: error.exitCode };
  if (isNamed(error, "ConfigError") || isNamed(error, "FolderUnusable")) return { message: error.message, exitCode: 2 };
  if (isNamed<ReasonError>(error, "ReasonError"))
    return { message: withHint(error, io), exitCode: error.reason === "INVALID_FIELD" ? 2 : 1 };
  if (isNamed(error, "PortInUse"))
    return {
      message: `${error.message} (\`${hint(io, "up --ports free")}\`, \`--ports 51051\`, or \`ports\` in berth.yaml)`,
      exitCode: 1,
    };
  if (isErrno(error) && error.code === "ENOSPC")
    return { message: `the disk is full: free some space and try again (${error.message})`, exitCode: 1 };
  if (isFileError(error)) return { message: fileMessage(error), exitCode: 2 };
  return { message: describe(error), exitCode: 1 };
}

// By name and not by class: loading the classes takes longer than most commands.
function isNamed<E extends Error>(error: unknown, name: string): error is E {
  return error instanceof Error && error.name === name;
}

const tokenHint =
  "the token is missing or wrong, nothing was changed: name Berth's data folder with --data, or set BERTH_API_TOKEN (the token is in the file `token` of the data folder)";

function withHint(error: ReasonError, io: Io): string {
  // The server's message speaks of headers; at the command line there are better ways.
  if (error.reason === "UNAUTHENTICATED") return tokenHint;
  const hints: Partial<Record<ReasonError["reason"], string>> = {
    UNREACHABLE: `is Berth running? Start one with \`${hint(io, "up")}\`, or say where it is with --data or --registry`,
    NOT_FOUND: `\`${hint(io, "sets")}\`, \`${hint(io, "tasks")}\` and \`${hint(io, "status")}\` show what there is`,
    NO_SPACE: `\`${hint(io, "tasks")}\` and everything else that only reads goes on as long as any space is left`,
    NOT_READY: "it is starting or stopping; try again in a moment",
    QUEUE_FULL: "it is overloaded; try again in a moment",
  };
  const advice = hints[error.reason];
  // One line of somebody else's is one line here.
  const message = visibleLine(error.message);
  return advice === undefined ? message : `${message}\n  ${advice}`;
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return isErrno(error) && "path" in error;
}

function fileMessage(error: NodeJS.ErrnoException): string {
  const words: Record<string, string> = {
    ENOENT: "there is no such file",
    EISDIR: "this is a folder, not a file",
    EACCES: "you may not read or write this",
    EEXIST: "there is a file of this name where a folder is needed",
    ENOTDIR: "a part of this path is a file, not a folder",
  };
  return `${visibleLine(error.path ?? "")}: ${words[error.code ?? ""] ?? error.message}`;
}
