export { busCheck, drainingCheck, exportDependencies, storeCheck } from "./dependencies.js";
export { type FigureExports, figureExports } from "./figures.js";
export { renderMetrics } from "./metrics.js";
export { exportProcess } from "./process-metrics.js";
export {
  type HttpOptions,
  type HttpServer,
  type Readiness,
  type RouteHandler,
  startHttp,
} from "./server.js";
export { type EngineFigures, exportEngine, itemsPerMessage, type NoteMessage } from "./shared-figures.js";
