// The bus on NATS JetStream, an entry of its own (`@berth/chassis/bus/nats`): the client takes 0.1 s and 12 MB to load, which a process
// on the in-process bus needn't pay.
export { NatsBus } from "./nats-bus.js";
export type { Gap, GapReason, NatsBusOptions, NatsFigures, Poison } from "./nats-options.js";
export { BusUnavailable } from "./nats-outbox.js";
