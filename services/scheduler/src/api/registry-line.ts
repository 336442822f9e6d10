import { type Channel, createClient } from "@berth/chassis/grpc";
import { registry } from "@berth/contracts";
import type { Command } from "../domain/command.js";
import type { RunSource } from "../engine/runs.js";
import { readyTask } from "./translate.js";

/** What the lines of the API need. */
export interface LineParts {
  readonly channel: Channel;
  readonly token?: string | undefined;
  /** Tells the dispatcher. */
  readonly tell: (command: Command) => void;
  /** Notes the items of a message. */
  readonly note: (hop: "ready" | "bid" | "grant", items: number) => void;
}

/** Follows the ready tasks of the registry until the stream ends. Its first message says that the registry answers. */
export function followReady({
  channel,
  token,
  tell,
  note,
}: LineParts): (up: () => void, signal: AbortSignal) => Promise<void> {
  const client = createClient(registry.ReadyServiceDefinition, channel, token === undefined ? {} : { token });
  return async (up, signal) => {
    let first = true;
    for await (const { ready, gone, complete } of client.watchReadyTasks({}, { signal })) {
      if (first) {
        first = false;
        up();
        tell({ kind: "registry-connected" });
      }
      if (ready.length > 0) note("ready", ready.length);
      tell({ kind: "ready", tasks: ready.map(readyTask), gone, complete });
    }
  };
}

/** Asks the registry for one task as it is; fails with NOT_FOUND if there is none of that name. */
export function taskSource(channel: Channel, token?: string): (task: string) => Promise<registry.Task> {
  const client = createClient(registry.RegistryServiceDefinition, channel, {
    ...(token === undefined ? {} : { token }),
    timeoutMs: 5_000,
  });
  return async (task) =>
    registry.Task.fromPartial((await client.getTask({ task, view: registry.View.BASIC })).task ?? {});
}

/** Asks the registry what to run. */
export function runSource(channel: Channel, token?: string): RunSource {
  const client = createClient(registry.ReadyServiceDefinition, channel, {
    ...(token === undefined ? {} : { token }),
    timeoutMs: 5_000,
  });
  return {
    async listRuns(tasks) {
      const { runs } = await client.listRuns({ tasks: [...tasks] });
      return runs.flatMap(({ task, run }) => (run ? [{ task, run }] : []));
    },
  };
}
