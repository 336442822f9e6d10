/**
 * What every Berth process needs. Each part has a folder of its own and is imported by it, such as `@berth/chassis/clock`, so
 * that a process loads only what it uses. This entry point names them and loads none.
 */
export const parts = [
  "bus",
  "clock",
  "config",
  "engine",
  "folder",
  "grpc",
  "http",
  "lifecycle",
  "log",
  "sqlite",
  "telemetry",
] as const;
