import { spawn } from "node:child_process";

/** How a command is run. */
export interface CommandOptions {
  /** Added to this process's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another command whose standard output is this one's standard input. */
  readonly from?: readonly [program: string, ...args: string[]];
}

const lastCharacters = 4_000;

/** Runs a program to its end and returns what it wrote to standard output. @throws Error with the end of its output if it fails. */
export async function call(
  [program, ...args]: readonly [program: string, ...args: string[]],
  { environment = {}, cwd, from }: CommandOptions = {},
): Promise<string> {
  const env = { ...process.env, ...environment };
  const source = from && spawn(from[0], from.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  const child = spawn(program, args, { env, cwd, stdio: [source?.stdout ?? "ignore", "pipe", "pipe"] });
  let [out, all] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    all += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    all += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) return resolve(out);
      reject(new Error(`${program} ${args.join(" ")} ended with ${code}:\n${all.slice(-lastCharacters)}`));
    });
  });
}

/** Whether a program ends with 0. */
export function works(...command: [program: string, ...args: string[]]): Promise<boolean> {
  return call(command).then(
    () => true,
    () => false,
  );
}
