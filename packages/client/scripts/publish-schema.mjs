#!/usr/bin/env node
// Writes schema/tasks.schema.json from the code. Build first: npx tsc -b packages/client
import { mkdirSync, writeFileSync } from "node:fs";
import { publishedTaskSchema } from "../dist/taskfile/published.js";

mkdirSync(new URL("../schema", import.meta.url), { recursive: true });
writeFileSync(new URL("../schema/tasks.schema.json", import.meta.url), publishedTaskSchema());
