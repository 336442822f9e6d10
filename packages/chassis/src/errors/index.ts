export { type DescribeOptions, describe, describedBytesMax, isA } from "./describe.js";
export { PortInUse } from "./port-in-use.js";
