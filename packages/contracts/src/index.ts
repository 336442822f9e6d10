// The public surface: one namespace per proto package, health and reflection, and the typed subjects of the bus.

export { beginsTrace, type Need, needs } from "./access.js";
export { descriptorSetBase64 } from "./gen/descriptors.js";
export * as health from "./gen/grpc/health/v1/health.js";
export * as reflection from "./gen/grpc/reflection/v1/reflection.js";
export * as reflectionAlpha from "./gen/grpc/reflection/v1alpha/reflection.js";
export * from "./gen/index.js";
export { checkProof, type ProofCheck, type Proved, proofOf } from "./proof.js";
export { redactorOf } from "./redact.js";
export { type Subject, subjects } from "./subjects.js";
