// Real servers for tests. See README.md.
export {
  type Cluster,
  type ClusterOptions,
  type Member,
  type ServiceName,
  serviceNames,
  startCluster,
} from "./cluster/cluster.js";
export { Part } from "./cluster/process.js";
export { type ServersAvailable, serversAvailable } from "./find.js";
export { type NatsServer, type ServerOptions, startNats } from "./nats.js";
export { freePort } from "./port.js";
export { type PostgresServer, startPostgres } from "./postgres.js";
export { NotReady } from "./program.js";
export { Stopwatch, slowdown } from "./slowdown.js";
export { type LastSignal, spawnTied } from "./tie.js";
