export { type GrpcBounds, grpcBoundsShape } from "./bounds.js";
export { type Channel, type ClientOptions, createChannel, createClient } from "./client.js";
export { FieldCheck, limitPattern, namePattern, quote, taskIdPattern, type Violation } from "./field-check.js";
export { PushStream, type PushStreamOptions } from "./push-stream.js";
export { type Reason, type ReasonDetails, ReasonError, reasonStatus } from "./reasons.js";
export { GrpcServer, type GrpcServerOptions, PortInUse } from "./server.js";
export { givenContext, metadataOf } from "./trace-context.js";
