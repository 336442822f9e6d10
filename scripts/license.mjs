// Before a package is packed: puts the project's licence beside its package.json, where npm takes it from. Git ignores the copy.
import { copyFileSync } from "node:fs";

copyFileSync(new URL("../LICENSE", import.meta.url), "LICENSE");
