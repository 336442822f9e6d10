/** What a caller must bring: nothing, or the token of the installation. */
export type Need = "open" | "token";

/**
 * Every method that is served, and what it needs. What isn't listed isn't served. `open` is for reads: whoever reaches the port may ask, and is
 * not shown the fields that `proto/` marks with `debug_redact` ({@link redactorOf}). Everything that changes something, or hands out work,
 * needs the token.
 */
export const needs: Readonly<Record<string, Need>> = {
  "berth.metrics.v1.MetricsService/GetConcurrency": "open",
  "berth.metrics.v1.MetricsService/ListSamples": "open",

  "berth.pool.v1.BidService/PlaceBids": "token",
  "berth.pool.v1.BidService/StreamBids": "token",
  "berth.pool.v1.LeaseLedgerService/AcknowledgeLeaseEvents": "token",
  "berth.pool.v1.LeaseLedgerService/ForbidAttempts": "token",
  "berth.pool.v1.LeaseLedgerService/ListLeaseEvents": "open",
  "berth.pool.v1.LeaseLedgerService/WatchLeaseEvents": "open",
  "berth.pool.v1.PoolService/CheckAdmission": "open",
  "berth.pool.v1.PoolService/CreateLimit": "token",
  "berth.pool.v1.PoolService/CreatePool": "token",
  "berth.pool.v1.PoolService/DeleteLimit": "token",
  "berth.pool.v1.PoolService/DeletePool": "token",
  "berth.pool.v1.PoolService/GetLimit": "open",
  "berth.pool.v1.PoolService/GetPool": "open",
  "berth.pool.v1.PoolService/GetStatus": "open",
  "berth.pool.v1.PoolService/ListAssignments": "open",
  "berth.pool.v1.PoolService/ListLimitChanges": "open",
  "berth.pool.v1.PoolService/ListLimits": "open",
  "berth.pool.v1.PoolService/ListPools": "open",
  "berth.pool.v1.PoolService/UpdateLimit": "token",
  "berth.pool.v1.PoolService/UpdatePool": "token",
  "berth.pool.v1.PoolService/WatchCatalogue": "open",

  "berth.registry.v1.LogService/AppendLogs": "token",
  "berth.registry.v1.LogService/GetLogs": "open",
  "berth.registry.v1.LogService/StreamLogs": "token",
  "berth.registry.v1.LogService/WatchLogs": "open",
  "berth.registry.v1.ReadyService/ListReadyTasks": "open",
  "berth.registry.v1.ReadyService/ListRuns": "open",
  "berth.registry.v1.ReadyService/WatchReadyTasks": "open",
  "berth.registry.v1.RegistryService/AcceptLateResult": "token",
  "berth.registry.v1.RegistryService/CancelTasks": "token",
  "berth.registry.v1.RegistryService/GetTask": "open",
  "berth.registry.v1.RegistryService/GetTaskSet": "open",
  "berth.registry.v1.RegistryService/ListTaskSets": "open",
  "berth.registry.v1.RegistryService/ListTasks": "open",
  "berth.registry.v1.RegistryService/RetryTasks": "token",
  "berth.registry.v1.RegistryService/SubmitTasks": "token",
  "berth.registry.v1.RegistryService/WatchTasks": "open",

  "berth.runner.v1.LeaseService/AttachRunner": "token",
  "berth.runner.v1.LeaseService/CompleteLeases": "token",
  "berth.runner.v1.LeaseService/DetachRunner": "token",
  "berth.runner.v1.LeaseService/RenewLeases": "token",
  "berth.runner.v1.LeaseService/ReportStarts": "token",
  "berth.runner.v1.LeaseService/StreamLeases": "token",
  "berth.runner.v1.WorkService/PollWork": "token",
  "berth.runner.v1.WorkService/StreamWork": "token",

  "berth.scheduler.v1.SchedulerService/ExplainTask": "open",
  "berth.scheduler.v1.SchedulerService/ExplainTasks": "open",
  "berth.scheduler.v1.SchedulerService/GetQueueStatus": "open",
  "berth.scheduler.v1.SchedulerService/ListQueuedTasks": "open",

  "grpc.health.v1.Health/Check": "open",
  "grpc.health.v1.Health/List": "open",
  "grpc.health.v1.Health/Watch": "open",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "open",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "open",
};

/** Services that people and their programs ask to change something; all else of the installation is asked by its own processes, over and over. */
const asked = ["berth.pool.v1.PoolService/", "berth.registry.v1.RegistryService/"];

/**
 * Whether a call that belongs to no trace begins one: only where somebody asks to change something. Reads, health checks and what services and
 * runners tell each other are polls for the most part, thousands in an hour, and each would be a trace of one span.
 */
export function beginsTrace(method: string): boolean {
  return needs[method] === "token" && asked.some((service) => method.startsWith(service));
}
