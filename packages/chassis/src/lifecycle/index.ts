export { type Component, Lifecycle } from "./lifecycle.js";
export { type Fail, type ProcessHost, type ProcessOptions, runProcess } from "./process.js";
