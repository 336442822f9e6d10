export { type Component, Lifecycle } from "./lifecycle.js";
export { componentOf, inTurn, type Part } from "./part.js";
export { type Fail, type ProcessHost, type ProcessOptions, runProcess } from "./process.js";
