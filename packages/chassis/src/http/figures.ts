import { Counter, Gauge, type Registry } from "prom-client";

/** Registers figures that are read when they are asked for. */
export interface FigureExports {
  /** One that goes up and down. */
  gauge(name: string, help: string, read: () => number): void;
  /** One that only grows while the process lives; `read` gives all there was since its start. */
  counter(name: string, help: string, read: () => number): void;
}

/** Exports of figures without labels. Those with labels that come and go are registered where they are known. */
export function figureExports(registry: Registry): FigureExports {
  const registers = [registry];
  return {
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    counter(name, help, read) {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    },
  };
}
