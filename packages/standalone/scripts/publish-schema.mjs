#!/usr/bin/env node
// Writes schema/berth.schema.json from the code. Build first: npx tsc -b packages/standalone
import { mkdirSync, writeFileSync } from "node:fs";
import { publishedBerthSchema } from "../dist/published.js";

mkdirSync(new URL("../schema", import.meta.url), { recursive: true });
writeFileSync(new URL("../schema/berth.schema.json", import.meta.url), publishedBerthSchema());
