import { statfs } from "node:fs/promises";
import { ReasonError } from "@berth/chassis/grpc";

/** Where to look, and how much must be there. */
export interface SpaceSettings {
  /** Where there is one, nothing is looked at: its disk isn't ours; what it can't take stalls the engine, which says so. */
  readonly database?: unknown;
  readonly dataFolder: string;
  /** Bytes. */
  readonly freeSpaceMin: number;
}

/** Rejects with NO_SPACE where the data folder has too little room for a submission. */
export function spaceCheck({ database, dataFolder, freeSpaceMin }: SpaceSettings): () => Promise<void> {
  return async () => {
    if (database) return;
    const { bavail, bsize } = await statfs(dataFolder);
    const free = bavail * bsize;
    if (free >= freeSpaceMin) return;
    throw new ReasonError(
      "NO_SPACE",
      `${free} bytes are free in the data folder, ${freeSpaceMin} are needed to take a submission: free some space and submit again; nothing was taken`,
      { retryAfterMs: 10_000 },
    );
  };
}
