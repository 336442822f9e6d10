import { z } from "zod";
import { berthSchema } from "./config.js";

/** The schema of berth.yaml as editors read it; `schema/berth.schema.json` holds it. */
export function publishedBerthSchema(): string {
  const schema = z.toJSONSchema(berthSchema, { io: "input", reused: "ref" });
  return `${JSON.stringify({ title: "berth.yaml", ...schema }, undefined, 2)}\n`;
}
