/** Reads a Prometheus page: series to value. */
export async function readPage(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(url)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** The sum of all series of one name, whatever their labels. */
export function sumOf(page: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [series, value] of page) if (series === name || series.startsWith(`${name}{`)) sum += value;
  return sum;
}
