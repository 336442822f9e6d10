import { Counter, Histogram, type Registry } from "prom-client";

/** Notes how many items one message carried over a hop. */
export type NoteMessage<Hop extends string> = (hop: Hop, items: number) => void;

/**
 * Registers `berth_items_per_message`: how many items share a message, by hop; sum over count is the mean. Each hop is counted at one end
 * only: by the service that receives, or, where a runner or a client receives, by the one that sends.
 */
export function itemsPerMessage<Hop extends string>(registry: Registry): NoteMessage<Hop> {
  const items = new Histogram({
    name: "berth_items_per_message",
    help: "Items that shared a message, by hop.",
    labelNames: ["hop"],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000],
    registers: [registry],
  });
  return (hop, count) => items.observe({ hop }, count);
}

/** What an engine has done since its start. */
export interface EngineFigures {
  readonly commits: number;
  readonly commands: number;
  readonly changes: number;
  readonly rows: number;
}

/** Registers `berth_engine_{commits,commands,changes,rows}_total`, read when they are asked for. */
export function exportEngine(registry: Registry, figures: () => EngineFigures): void {
  const helps: Readonly<Record<keyof EngineFigures, string>> = {
    commits: "Commits since the start.",
    commands: "Commands decided since the start.",
    changes: "Changes committed since the start.",
    rows: "Rows of subjects written since the start; the journal's row and the leader row come on top, once per commit.",
  };
  for (const [name, help] of Object.entries(helps)) {
    new Counter({
      name: `berth_engine_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(figures()[name as keyof EngineFigures]);
      },
    });
  }
}
