import { describe, expect, it } from "vitest";
import { CommitRefused } from "../engine/index.js";
import { asCommitError, asDatabaseError, DatabaseError } from "./errors.js";

describe("an error of a commit", () => {
  it.each(["22003", "23505", "23514", "54000"])("of class %s refuses the content", (code) => {
    expect(asCommitError(new DatabaseError("no", code))).toBeInstanceOf(CommitRefused);
  });

  it.each(["", "08006", "25006", "40001", "40P01", "53100", "57014", "57P01", "55P03", "42501", "ECONNRESET"])(
    "with the code %j leaves a doubt",
    (code) => {
      const error = new DatabaseError("no", code);
      expect(asCommitError(error)).toBe(error);
    },
  );

  it("refuses what is too long to be sent", () => {
    const error = asDatabaseError(new RangeError("Invalid string length"));
    expect(asCommitError(error)).toBeInstanceOf(CommitRefused);
  });

  it("names table and constraint, and nobody's data", () => {
    const driver = Object.assign(new Error("duplicate key"), {
      code: "23505",
      table: "tasks",
      constraint: "tasks_key_key",
      detail: "Key (key)=(s/private) already exists.",
      client: { password: "hunter2" },
    });
    const error = asDatabaseError(driver);
    expect(error.message).toBe("PostgreSQL: duplicate key (table tasks, constraint tasks_key_key)");
    expect({ ...error }).toEqual({ name: "DatabaseError", code: "23505", answered: false });
  });
});
