/** Something else listens on the port already. One class for every protocol, so that whoever can do without that port knows it by class. */
export class PortInUse extends Error {
  override readonly name = "PortInUse";
  readonly code = "PORT_IN_USE";
  readonly port: number;

  /** @param what Such as `gRPC`. */
  constructor(what: string, host: string, port: number, cause: unknown) {
    super(
      `${what} can't listen: ${host}:${port} is in use by another process: stop it (is a Berth running?), or choose another port`,
      { cause },
    );
    this.port = port;
  }
}
