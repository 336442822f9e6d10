// Real servers for tests. See README.md.
export { type ServersAvailable, serversAvailable } from "./find.js";
export { type NatsServer, type ServerOptions, startNats } from "./nats.js";
export { freePort } from "./port.js";
export { type PostgresServer, startPostgres } from "./postgres.js";
export { NotReady } from "./program.js";
