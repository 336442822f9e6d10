import type { Socket } from "node:net";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";

/** How often a connection is looked at, and the most that one look counts for. */
const lookMs = 500;

/**
 * How long a peer has been silent, in time that this process lived through. grpc-js's own time-out of a ping can't be used for that: it is a
 * timer, so a process that was blocked, starved or stopped finds it run out before it has read the answer that lies there, and takes its own
 * absence for its peer's death. Here each look counts for at most `lookMs`, however late it comes.
 */
export class Silence {
  private readonly mostMs: number;
  private silentMs = 0;
  private bytes = -1;
  private lastMs: number;

  /** @param mostMs how long a silence may last; @param nowMs interval clock. */
  constructor(mostMs: number, nowMs: number) {
    this.mostMs = mostMs;
    this.lastMs = nowMs;
  }

  /** Looks at how many bytes have come in all. True if the peer has been silent for too long. */
  look(bytes: number, nowMs: number): boolean {
    const passedMs = Math.min(nowMs - this.lastMs, lookMs);
    this.lastMs = nowMs;
    this.silentMs = bytes === this.bytes ? this.silentMs + passedMs : 0;
    this.bytes = bytes;
    return this.silentMs >= this.mostMs;
  }
}

/** Cuts a connection whose peer is silent for `mostMs`. Pings keep one from being silent: both ends send them. */
export function cutWhenSilent(socket: Socket, mostMs: number): void {
  const silence = new Silence(mostMs, performance.now());
  const looking = setInterval(() => {
    // What has arrived meanwhile is read between the timers of a turn and its immediates.
    setImmediate(() => {
      if (silence.look(socket.bytesRead, performance.now())) socket.destroy();
    }).unref();
  }, lookMs).unref();
  socket.once("close", () => clearInterval(looking));
}

/** Credentials of a channel without TLS that cuts connections to a peer that is silent for `mostMs`: its calls end UNAVAILABLE. */
export class SilenceCredentials extends ChannelCredentials {
  private readonly mostMs: number;

  constructor(mostMs: number) {
    super();
    this.mostMs = mostMs;
  }

  override _isSecure(): boolean {
    return false;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other instanceof SilenceCredentials && other.mostMs === this.mostMs;
  }

  override _createSecureConnector(
    ...[, , credentials = CallCredentials.createEmpty()]: Parameters<ChannelCredentials["_createSecureConnector"]>
  ): ReturnType<ChannelCredentials["_createSecureConnector"]> {
    return {
      connect: async (socket) => {
        cutWhenSilent(socket, this.mostMs);
        return { socket, secure: false };
      },
      waitForReady: async () => undefined,
      getCallCredentials: () => credentials,
      destroy: () => undefined,
    };
  }
}
