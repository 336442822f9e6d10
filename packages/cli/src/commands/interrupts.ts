// Ctrl-C while a set is followed: once detaches, twice cancels, and once more leaves it to itself.
import type { BerthClient } from "@berth/client";
import { hint } from "../hints.js";
import type { Io } from "../io.js";

/** How long a first Ctrl-C waits for a second. */
const secondSignalMs = 2_000;

/** Listens until the function that it returns is called. `stop` is aborted when the user leaves. */
export function onInterrupts(
  client: BerthClient,
  set: string,
  stop: AbortController,
  line: (text: string) => void,
  io: Io,
): () => void {
  const back = hint(io, `watch ${set}`);
  let timer: NodeJS.Timeout | undefined;
  let cancelled = false;
  const onInterrupt = () => {
    if (cancelled) {
      line(`leaving; the set is being cancelled. See how it goes: ${back}`);
      stop.abort();
    } else if (timer === undefined) {
      line(
        `detaching: the tasks go on. Ctrl-C again within ${secondSignalMs / 1_000} s cancels them. Come back with: ${back}`,
      );
      timer = setTimeout(() => stop.abort(), secondSignalMs);
    } else {
      clearTimeout(timer);
      cancelled = true;
      line(`cancelling set ${set}; waiting for what runs to stop`);
      client.cancel(set, "cancelled by Ctrl-C").catch((error: Error) => line(`cancelling failed: ${error.message}`));
    }
  };
  process.on("SIGINT", onInterrupt);
  return () => {
    clearTimeout(timer);
    process.off("SIGINT", onInterrupt);
  };
}
