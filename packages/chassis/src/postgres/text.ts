/**
 * Texts for columns of type `text`, which can't hold NUL: it becomes `\0`, and `\` becomes `\\`. Different texts stay different, so comparing for
 * equality is comparing what was meant. JSON needs none of this: it writes NUL as an escape of its own.
 */
export function toColumn(text: string): string {
  return /[\\\0]/.test(text) ? text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0") : text;
}

/** The reverse. */
export function fromColumn(column: string): string {
  return column.includes("\\") ? column.replace(/\\([\\0])/g, (_, code) => (code === "0" ? "\0" : "\\")) : column;
}

/** Rows as one array per column, for `unnest`. Each column is given by what a row has in it. */
export function columns<Row>(rows: readonly Row[], ...cells: readonly ((row: Row) => unknown)[]): unknown[][] {
  return cells.map((cell) => rows.map(cell));
}

/** The last row of each key, in the order of their first. One statement may touch a row once only. */
export function lastOf<Row>(rows: readonly Row[], keyOf: (row: Row) => string | number): Row[] {
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}
