import { z } from "zod";

/** Where something listens. */
export interface Address {
  /** Name, IPv4 or IPv6 address (without brackets). */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/**
 * Reads one address or several, such as `a:50051,b:50051` or `[::1]:50051`: the places of one service and its standbys. The order is that of
 * trial. @throws Error saying which one is wrong and how it should look.
 */
export function parseAddresses(text: string): Address[] {
  return text.split(",").map((part) => {
    const address = parseAddress(part.trim());
    if (address) return address;
    const wrong = part === text ? "" : `, of which ${JSON.stringify(part)} is wrong`;
    throw new Error(
      `${JSON.stringify(text)} isn't an address${wrong}: write host:port, such as 127.0.0.1:50051, or several separated by commas`,
    );
  });
}

function parseAddress(text: string): Address | undefined {
  const { host, ipv6, port } =
    /^(?:\[(?<ipv6>[0-9a-fA-F:.]+)\]|(?<host>[^\s:/[\]]+)):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  const name = host ?? ipv6;
  if (name === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { host: name, port: Number(port) };
}

/** A setting that holds one address or several; see {@link parseAddresses}. */
export function addresses(): z.ZodString {
  return z.string().superRefine((text, context) => {
    try {
      parseAddresses(text);
    } catch {
      context.addIssue(
        "isn't an address: write host:port, or several separated by commas, in the order in which they are tried",
      );
    }
  });
}
