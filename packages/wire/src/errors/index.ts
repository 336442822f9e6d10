export { type DescribeOptions, describe, describedBytesMax, isA } from "./describe.js";
