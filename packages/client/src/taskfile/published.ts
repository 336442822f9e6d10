import { z } from "zod";
import { taskFileSchema } from "./schema.js";

/** The task file's schema as editors read it; `schema/tasks.schema.json` holds it. */
export function publishedTaskSchema(): string {
  const schema = z.toJSONSchema(taskFileSchema(), { io: "input", reused: "ref" });
  return `${JSON.stringify({ title: "Berth task file", ...schema }, undefined, 2)}\n`;
}
