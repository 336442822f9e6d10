// The commands, their flags and their help. What a command does is loaded when it is called, so that help comes at once.
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { describeError } from "./errors.js";
import type { Io } from "./io.js";
import type { GlobalOptions, Places } from "./places.js";

function version(): string {
  // The same place from the source as from what is built of it.
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** A flag that may be given several times. */
function several(flags: string, description: string): Option {
  const option = new Option(flags, `${description}; may be repeated`).default([]);
  // The empty list says nothing to people.
  option.defaultValueDescription = "none";
  return option.argParser((value: string, before: string[]) => [...before, value]);
}

/** What goes behind the flags of every command that talks to a Berth. */
function common(command: Command): Command {
  return places(command.option("--json", "print JSON for programs"))
    .option("--registry <address>", "gRPC address of the registry (BERTH_REGISTRY_ADDRESS)")
    .option("--pool-manager <address>", "gRPC address of the pool-manager (BERTH_POOL_MANAGER_ADDRESS)")
    .option("--scheduler <address>", "gRPC address of the scheduler (BERTH_SCHEDULER_ADDRESS)")
    .option("--metrics <address>", "gRPC address of the metrics service (BERTH_METRICS_ADDRESS)")
    .option("--token-file <file>", "file with the token for changes (BERTH_API_TOKEN holds the token itself)");
}

function places(command: Command): Command {
  return command
    .optionsGroup("Where Berth is:")
    .option("--data <folder>", "data folder (BERTH_DATA_FOLDER; default: that of berth.yaml, or ./berth-data)")
    .option("--config <file>", "berth.yaml (BERTH_CONFIG; default: ./berth.yaml if it is there)");
}

function submission(command: Command): Command {
  return command
    .option("--set <id>", "submit into this set; created if it isn't there (default: a new one)")
    .option("--name <text>", "a name for people")
    .option("--request-id <uuid>", "makes a repeat of this very call harmless (default: a new one)")
    .option("--id <id>", "id of the task, for a command (default: task)")
    .option("--pool <pool>", "pool to run the command in")
    .option("--skill <skill>", "skill that the pool must offer")
    .option("--tenant <tenant>", "tenant that the command is counted for")
    .option("--priority <number>", "-1000 to 1000; larger goes first")
    .addOption(several("--limit <name[=weight]>", "named limit that the command occupies"))
    .addOption(several("--env <name=value>", "environment variable"))
    .addOption(several("--secret <name>", "secret that the runner adds to the environment"))
    .option("--cpu <cores>", "share of processors, such as 0.5 or 500m")
    .option("--memory <size>", "memory, such as 512MiB")
    .option("--timeout <duration>", "longest time from start to end, such as 10m")
    .option("--retry <attempts>", "attempts that may fail, 1 to 100 (default: 1, a command is run once)")
    .option("--cwd <folder>", "working directory (default: the runner's)")
    .addHelpText("after", "\nTRACEPARENT, TRACESTATE and BAGGAGE of the environment go on to what the tasks run.");
}

/** What `run` and `watch` have in common. */
function following(command: Command): Command {
  return command.option("--give-up <duration>", "leave with exit code 75 once Berth has been away for so long", "5m");
}

function example(io: Io, command: Command, ...lines: string[]): Command {
  const examples = lines.map((line) => `  $ ${line.replace(/^berth/, io.call)}`);
  return command.addHelpText("after", `\n${lines.length === 1 ? "Example" : "Examples"}:\n${examples.join("\n")}`);
}

/** Builds the program. `behind` is what stood behind `--`; `done` takes the exit code. */
function build(io: Io, behind: readonly string[], done: (code: number) => void): Command {
  const program = new Command("berth")
    .description("Concurrency control and dispatch for fleets of task runners")
    .version(version(), "-v, --version", "print the version")
    .configureOutput({
      writeOut: (text) => io.write(text),
      writeErr: (text) => io.writeError(text),
      getOutHelpWidth: () => io.columns(),
      getErrHelpWidth: () => io.columns(),
    })
    .exitOverride()
    .showHelpAfterError("(see --help)")
    .enablePositionalOptions();
  const add = (command: Command, ...examples: string[]) => example(io, common(command), ...examples).exitOverride();
  // Commands that start or write something here have no use for addresses and tokens.
  const addLocal = (command: Command, ...examples: string[]) => example(io, command, ...examples).exitOverride();
  // Every action gets its arguments, its options and leaves an exit code.
  const act =
    <A extends unknown[]>(action: (...args: A) => Promise<number> | number) =>
    async (...args: unknown[]) =>
      done(await action(...(args.slice(0, -1) as A)));

  program.helpCommand("help [command]", "explain a command").commandsGroup("Begin:");
  addLocal(
    program
      .command("init")
      .argument("[file]", "where to write it", "berth.yaml")
      .description("write a commented berth.yaml")
      .option("--force", "overwrite")
      .option("--json", "print JSON for programs"),
    "berth init",
  ).action(
    act(async (file: string, options: { force?: boolean; json?: boolean }) =>
      (await import("./commands/init.js")).init(file, options, io),
    ),
  );
  addLocal(
    places(
      program
        .command("up")
        .description("start Berth: four services and a local runner in this process")
        .option("--ports <first>", "first of the gRPC ports, the next three follow; `free` takes free ports")
        .option("--log <file>", "write the log there (default: berth.log in the data folder)")
        .option("--demo <file>", "submit this task file as a new set and show how it goes")
        .option("--once", "with --demo: end when the set is done, with exit code 0 only if all succeeded")
        .option("--json", "print JSON for programs"),
    ),
    "berth up",
    "berth up --data /var/lib/berth --ports free",
  ).action(
    act(async (options: GlobalOptions & { ports?: string; log?: string; demo?: string; once?: boolean }) =>
      (await import("./commands/up.js")).up(options, io),
    ),
  );

  program.commandsGroup("Work:");
  add(
    following(
      submission(
        program
          .command("run")
          .argument("[file]", "task file, - for standard input")
          .usage("[options] FILE | -- COMMAND")
          .description(
            "submit and follow; exit code 0 only if all succeeded, that of a COMMAND itself. Ctrl-C detaches, twice cancels",
          ),
      ),
    ),
    "berth run tasks.yaml",
    "berth run --pool default -- npm test",
  ).action(
    act(async (file: string | undefined, options: never) =>
      (await import("./commands/run.js")).run(file, behind, options, io),
    ),
  );
  add(
    submission(
      program
        .command("submit")
        .argument("[file]", "task file, - for standard input")
        .usage("[options] FILE | -- COMMAND")
        .description("submit and leave"),
    ),
    "berth submit tasks.yaml --set nightly",
    "berth submit --pool default --limit api:llm=2 -- ./ask.sh 'what now'",
  ).action(
    act(async (file: string | undefined, options: never) =>
      (await import("./commands/run.js")).submit(file, behind, options, io),
    ),
  );
  add(
    following(
      program
        .command("watch")
        .argument("<set>", "id of the set, how it begins, or @last")
        .description("follow a set that was submitted before"),
    ),
    "berth watch nightly",
  ).action(act(async (set: string, options: never) => (await import("./commands/run.js")).watch(set, options, io)));
  add(
    program
      .command("with")
      .usage("[options] -- COMMAND")
      .description("run a command here, with your terminal, under a lease: waits until the limits allow it")
      .addOption(several("--limit <name[=weight]>", "named limit to occupy"))
      .option("--tenant <tenant>", "tenant that it is counted for")
      .option("--priority <number>", "-1000 to 1000; larger goes first")
      .option("--wait <duration>", "give up (exit code 75) after waiting so long"),
    "berth with --limit repo:web -- git pull",
    "berth with --limit api:llm=2 --wait 5m -- ./ask.sh",
  ).action(act(async (options: never) => (await import("./commands/with.js")).withLease(behind, options, io)));
  add(
    program
      .command("runner")
      .description("attach a runner: takes work of pools and runs it on this machine until Ctrl-C")
      .addOption(several("--pool <pool>", "pool to take work from").makeOptionMandatory())
      .option("--capacity <number>", "most tasks at once, 1 to 10000", "4")
      .addOption(several("--label <name=value>", "label that tasks may ask for"))
      .option("--id <id>", "id of the runner (default: made once, kept in its folder)")
      .option("--folder <folder>", "where it keeps its id and its spool", "./berth-runner")
      .option("--secrets <folder>", "folder with a file for each secret")
      .option("--bus <url>", "nats://host:port on which completions are broadcast too (BERTH_BUS; default: none)")
      .option("--bus-prefix <name>", "as the services have it (BERTH_BUS_PREFIX; default: berth)"),
    "berth runner --pool default --capacity 4",
  ).action(act(async (options: never) => (await import("./commands/runner.js")).runner(options, io)));

  program.commandsGroup("See:");
  add(
    program.command("status").description("limits, pools, runners and queue, at one revision"),
    "berth status",
  ).action(act(async (options: GlobalOptions) => (await import("./commands/status.js")).status(options, io)));
  add(
    program
      .command("sets")
      .description("the sets that were submitted, newest first")
      .option("--limit <number>", "most to show", "20"),
    "berth sets",
  ).action(act(async (options: never) => (await import("./commands/tasks.js")).listSets(options, io)));
  add(
    program
      .command("tasks")
      .description("tasks, newest first")
      .option("--set <id>", "only those of this set: its id, how it begins, or @last")
      .option("--state <states>", "only those in these states, such as failed,running")
      .option("--pool <pool>", "only those of this pool")
      .option("--tenant <tenant>", "only those of this tenant")
      .addOption(several("--label <name=value>", "only those that ask for a runner with this label"))
      .option("--limit <number>", "most to show", "50"),
    "berth tasks --set nightly --state failed,skipped",
  ).action(act(async (options: never) => (await import("./commands/tasks.js")).listTasks(options, io)));
  add(
    program
      .command("task")
      .argument("<id>", "SET/TASK, or the task's id alone")
      .description("one task: attempts, history, and why it waits"),
    "berth task nightly/build",
  ).action(
    act(async (id: string, options: GlobalOptions) => (await import("./commands/tasks.js")).showTask(id, options, io)),
  );
  add(
    program
      .command("logs")
      .argument("<id>", "SET/TASK, TASK, SET or @last; of a set, all its tasks with their names in front")
      .description("what a task wrote, or all tasks of a set")
      .option("-f, --follow", "go on showing what it writes, until it ends")
      .option("--attempt <number>", "of this attempt (default: the last)"),
    "berth logs nightly/build -f",
  ).action(act(async (id: string, options: never) => (await import("./commands/logs.js")).logs(id, options, io)));
  add(program.command("pools").description("pools: how full, how many wait"), "berth pools").action(
    act(async (options: GlobalOptions) => (await import("./commands/status.js")).pools(options, io)),
  );
  add(program.command("limits").description("limits: how full"), "berth limits").action(
    act(async (options: GlobalOptions) => (await import("./commands/status.js")).limits(options, io)),
  );

  program.commandsGroup("Change:");
  add(
    program
      .command("cancel")
      .argument("[ids...]", "SET/TASK or TASK ..., or one SET: its id, how it begins, or @last")
      .description("cancel tasks: those named, or those that flags choose")
      .option("--set <id>", "the whole set")
      .option("--state <states>", "only those in these states, such as queued,blocked")
      .option("--pool <pool>", "only those of this pool")
      .option("--tenant <tenant>", "only those of this tenant")
      .addOption(several("--label <name=value>", "only those that ask for a runner with this label"))
      .option("--yes", "don't ask before several tasks that only flags choose are cancelled")
      .option("--reason <text>", "why, for the tasks' history", "cancelled by berth cancel"),
    "berth cancel nightly",
    "berth cancel nightly/build nightly/test",
    "berth cancel --tenant code --state queued --yes",
  ).action(
    act(async (ids: string[], options: never) => (await import("./commands/change.js")).cancel(ids, options, io)),
  );
  add(
    program
      .command("retry")
      .argument("[ids...]", "SET/TASK or TASK ..., or one SET: its id, how it begins, or @last")
      .description("retry tasks that failed, were cancelled or skipped")
      .option("--set <id>", "those of this set")
      .option("--state <states>", "only those in these states: failed, cancelled, skipped")
      .option("--pool <pool>", "only those of this pool")
      .option("--tenant <tenant>", "only those of this tenant")
      .addOption(several("--label <name=value>", "only those that ask for a runner with this label"))
      .option("--failed", "only the failed ones, and what was skipped for them"),
    "berth retry nightly --failed",
    "berth retry nightly/build",
  ).action(
    act(async (ids: string[], options: never) => (await import("./commands/change.js")).retry(ids, options, io)),
  );
  const poolFlags = (command: Command) =>
    command
      .option("--max-concurrency <number>", "most tasks at once, 0 to 1000000")
      .option("--cpu <cores>", "cores to give out; 0: not counted")
      .option("--memory <size>", "memory to give out; 0: not counted")
      .option("--skills <names>", "skills that it offers, separated by commas")
      .option("--slots <names>", "named exclusive places, separated by commas")
      .option("--reason <text>", "why, for the record");
  const pool = program.command("pool").description("change pools at run time; survives restarts").exitOverride();
  add(
    poolFlags(pool.command("set").argument("<name>"))
      .description("change a pool")
      .option("--pause", "start nothing more in it")
      .option("--resume", "start again"),
    "berth pool set default --max-concurrency 8",
  ).action(act(async (name: string, options: never) => (await import("./commands/set.js")).setPool(name, options, io)));
  add(
    poolFlags(pool.command("create").argument("<name>"))
      .description("create a pool")
      .option("--type <type>", "local-process or remote", "local-process"),
    "berth pool create images --max-concurrency 2 --skills images",
  ).action(
    act(async (name: string, options: never) => (await import("./commands/set.js")).createPool(name, options, io)),
  );
  add(
    pool.command("delete").argument("<name>").description("delete a pool that holds nothing"),
    "berth pool delete images",
  ).action(
    act(async (name: string, options: never) => (await import("./commands/set.js")).deletePool(name, options, io)),
  );
  const limit = program.command("limit").description("change limits at run time; survives restarts").exitOverride();
  add(
    limit
      .command("set")
      .argument("<name>")
      .description("change a limit: global, pool:NAME, tenant:NAME, or one of yours")
      .option("--capacity <number>", "units in all, 0 or more")
      .option("--for <duration>", "only for so long, then back to what was last set for good")
      .option("--now", "end a temporary capacity: the lasting one holds again at once")
      .option("--reserve <number>", "units kept for high priorities")
      .option("--reserve-priority <number>", "lowest priority that may use them")
      .option("--create", "create it if it isn't there")
      .option("--reason <text>", "why, for the record"),
    "berth limit set global --capacity 20",
    "berth limit set api:llm --capacity 1 --for 10m --reason 'quota is low'",
    "berth limit set api:llm --now",
  ).action(
    act(async (name: string, options: never) => (await import("./commands/set.js")).setLimit(name, options, io)),
  );
  add(
    limit.command("delete").argument("<name>").description("delete a limit that nothing occupies"),
    "berth limit delete api:llm",
  ).action(
    act(async (name: string, options: never) => (await import("./commands/set.js")).deleteLimit(name, options, io)),
  );
  add(
    program
      .command("apply")
      .argument("<file>", "a berth.yaml")
      .description("show how Berth differs from a berth.yaml, then change pools and limits to match it")
      .option("--dry-run", "only show")
      .option("--reason <text>", "why, for the record"),
    "berth apply berth.yaml --dry-run",
  ).action(act(async (file: string, options: never) => (await import("./commands/apply.js")).apply(file, options, io)));
  return program;
}

/** Runs the command line; returns the exit code. `argv` has no program name. */
export async function runCli(argv: readonly string[], given: Io): Promise<number> {
  let places: Places = {};
  const io: Io = {
    ...given,
    get places() {
      return places;
    },
  };
  const at = argv.indexOf("--");
  const before = at < 0 ? argv : argv.slice(0, at);
  const behind = at < 0 ? [] : argv.slice(at + 1);
  let code = 0;
  try {
    const program = build(io, behind, (value) => {
      code = value;
    });
    // What is told to people from here on repeats them.
    program.hook("preAction", (_program, action) => {
      places = action.opts<Places>();
    });
    if (before.length === 0) program.help();
    await program.parseAsync([...before], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { message, exitCode } = describeError(error, io);
    io.writeError(`berth: ${message}\n`);
    return exitCode;
  }
}
