export { type Address, addresses, parseAddresses } from "./addresses.js";
export { type LoadOptions, loadConfig } from "./load.js";
export { describeConfig } from "./print.js";
export { ConfigError, type Problem } from "./problem.js";
export { bytes, cpu, duration, type QuantityBounds } from "./quantity.js";
export { Secret, secret } from "./secret.js";
export { decodeText, readText } from "./text.js";
export { checkValue } from "./value.js";
export { parseYaml } from "./yaml.js";
