import { FieldCheck, pageAsked, pageOf } from "@berth/chassis/grpc";
import { registry as wire } from "@berth/contracts";
import type { CallContext } from "nice-grpc-common";
import { isOffered } from "../domain/read.js";
import type { Registry } from "../engine/registry.js";
import { tooSlow } from "./registry-service.js";
import { showReady } from "./show.js";

const batchMax = 500;
/** Bytes of one answer with what to run. */
const runBytesMax = 2 * 1024 * 1024;

/** ReadyService: the scheduler's side. */
export class ReadyApi implements wire.ReadyServiceImplementation {
  private readonly registry: Registry;
  private readonly note: (runs: number) => void;

  constructor(registry: Registry, note: (runs: number) => void) {
    this.registry = registry;
    this.note = note;
  }

  async *watchReadyTasks(
    _request: wire.WatchReadyTasksRequest,
    context: CallContext,
  ): AsyncGenerator<wire.WatchReadyTasksResponse> {
    const { registry } = this;
    const watcher = registry.feed.open(() => true, false);
    // What this watch has been told is ready: only those can be gone.
    const told = new Set<string>();
    try {
      const { tasks } = await registry.live({ kind: "ready", afterSequence: 0, max: Number.MAX_SAFE_INTEGER });
      for (let at = 0; at < tasks.length && !context.signal.aborted; at += batchMax) {
        const page = tasks.slice(at, at + batchMax);
        for (const { header } of page) told.add(header.key);
        yield { ready: page.map(showReady), gone: [], complete: false };
      }
      yield { ready: [], gone: [], complete: true };
      while (!context.signal.aborted) {
        const changed = await watcher.take(batchMax, context.signal);
        if (watcher.overflowed) throw tooSlow("watch anew");
        const ready = changed.filter(isOffered);
        const gone = changed
          .filter((task) => !isOffered(task) && told.delete(task.header.key))
          .map(({ header }) => header.key);
        for (const { header } of ready) told.add(header.key);
        if (ready.length + gone.length > 0) yield { ready: ready.map(showReady), gone, complete: false };
      }
    } finally {
      registry.feed.close(watcher);
    }
  }

  async listReadyTasks(request: wire.ListReadyTasksRequest): Promise<wire.ListReadyTasksResponse> {
    const { max, behind: [afterSequence] = [0] } = pageAsked(request, ["number"]);
    const { tasks } = await this.registry.live({ kind: "ready", afterSequence, max: max + 1 });
    const { items, nextPageToken } = pageOf(tasks, max, ({ status }) => [status.sequence]);
    return { tasks: items.map(showReady), nextPageToken };
  }

  async listRuns(request: wire.ListRunsRequest): Promise<wire.ListRunsResponse> {
    new FieldCheck().length("tasks", request.tasks, 0, 500).throwIfAny();
    const specs = await this.registry.store.specs(request.tasks);
    const runs: wire.TaskRun[] = [];
    let bytes = 0;
    for (const task of request.tasks) {
      const spec = specs.get(task);
      if (!spec) continue;
      bytes += spec.length;
      if (runs.length > 0 && bytes > runBytesMax) break;
      runs.push({ task, run: wire.TaskSpec.decode(spec).run });
    }
    if (runs.length > 0) this.note(runs.length);
    return { runs };
  }
}
