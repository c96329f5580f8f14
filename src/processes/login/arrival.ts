// A client's way to its session: the PROXY header, where its listener wants one, then TLS, where it is POP3S. Runs in
// login processes.
import type * as net from "node:net";
import type { TLSSocket } from "node:tls";
import { type Networks, networksOf } from "../../host/networks.ts";
import { plainAddress } from "../../net/address.ts";
import { type ProxyHeader, parseProxyHeader } from "../../net/proxy-protocol.ts";
import { readStart } from "../../net/read-start.ts";
import type { TlsEndpoint } from "../../net/tls-endpoint.ts";
import { type CertificateUserField, type TlsFacts, tlsFacts } from "../../net/tls-facts.ts";
import type { Listener } from "../settings.ts";

/** Who is there, and what lies between. */
export interface Client {
  /** As sockets tell it; as the proxy told it, where there is one. */
  readonly address: string;
  readonly port: number | undefined;
  readonly localAddress: string;
  readonly localPort: number | undefined;
  /** False for a client that a proxy brought without saying who it is: its address is the proxy's. */
  readonly isKnown: boolean;
  /** TLS as far as this process, or ended by a proxy that the config trusts with that. */
  readonly tls: TlsFacts | undefined;
}

export type Arrival =
  | { readonly kind: "arrived"; readonly socket: net.Socket; readonly client: Client }
  /** The connection is destroyed. `reason` is for the log; undefined where the client just left. */
  | {
      readonly kind: "failed";
      /** The client's, or that of a proxy that is not let in, or brings no header: one of few reasons then. */
      readonly fault: "client" | "proxy";
      readonly reason: string | undefined;
      readonly address: string;
    };

export interface ArrivalSettings {
  readonly proxyNetworks: readonly string[];
  readonly proxyEndsTls: boolean;
  readonly certificateUserField: CertificateUserField;
}

export class Arrivals {
  readonly #proxies: Networks;
  readonly #settings: ArrivalSettings;
  readonly #tls: TlsEndpoint | undefined;

  /** @param tls undefined where there is no certificate: then no listener is POP3S */
  constructor(settings: ArrivalSettings, tls: TlsEndpoint | undefined) {
    this.#proxies = networksOf(settings.proxyNetworks);
    this.#settings = settings;
    this.#tls = tls;
  }

  /** Whether there is a certificate for `startTls`. */
  get canStartTls(): boolean {
    return this.#tls !== undefined;
  }

  /** Whoever calls it limits its time, by destroying the socket. */
  async receive(socket: net.Socket, listener: Listener): Promise<Arrival> {
    const client = plainClient(socket);
    const failed = (reason: string | undefined): Arrival => {
      socket.destroy();
      return {
        kind: "failed",
        fault: reason === undefined ? "client" : "proxy",
        reason,
        address: client.address,
      };
    };
    if (!listener.proxy) return await this.#secure(socket, listener, client);
    // Gone before it was accepted, as health checks do it.
    if (client.address === "") return failed(undefined);
    if (!this.#proxies.has(client.address)) return failed("not in server.proxy_networks");
    const header = await readProxyHeader(socket);
    if (header === undefined) return failed(undefined);
    if (header.kind === "invalid") return failed(header.reason);
    const { endpoints, tls } = header;
    const isSecured = tls !== undefined && this.#settings.proxyEndsTls;
    return await this.#secure(socket, listener, {
      ...client,
      ...endpoints,
      isKnown: endpoints !== undefined,
      tls: isSecured
        ? {
            tls,
            channelBinding: undefined,
            clientCertificateUser: undefined,
            clientCertificateFault: undefined,
          }
        : undefined,
    });
  }

  /** For STLS, and for POP3S: what comes next on the connection is a handshake. Undefined when it fails. */
  async startTls(
    socket: net.Socket,
  ): Promise<
    | { readonly kind: "secured"; readonly socket: TLSSocket; readonly tls: TlsFacts }
    | { readonly kind: "failed"; readonly reason: string }
  > {
    if (this.#tls === undefined) return { kind: "failed", reason: "no certificate" };
    const handshake = await this.#tls.secure(socket);
    if (handshake.kind === "failed") {
      socket.destroy();
      return handshake;
    }
    return { ...handshake, tls: tlsFacts(handshake.socket, this.#settings.certificateUserField) };
  }

  async #secure(socket: net.Socket, listener: Listener, client: Client): Promise<Arrival> {
    if (!listener.tls) return { kind: "arrived", socket, client };
    const secured = await this.startTls(socket);
    return secured.kind === "failed"
      ? { kind: "failed", fault: "client", reason: secured.reason, address: client.address }
      : { kind: "arrived", socket: secured.socket, client: { ...client, tls: secured.tls } };
  }
}

/** Who is there by the socket alone. */
export function plainClient(socket: net.Socket): Client {
  return {
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort,
    localAddress: plainAddress(socket.localAddress),
    localPort: socket.localPort,
    isKnown: true,
    tls: undefined,
  };
}

/** Undefined: the client left. */
async function readProxyHeader(
  socket: net.Socket,
): Promise<Exclude<ProxyHeader, { kind: "incomplete" }> | undefined> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, PROXY_HEADER_TIME_MS);
  const header = await readStart(socket, (octets) => {
    const value = parseProxyHeader(octets);
    if (value.kind === "incomplete") return undefined;
    return { value, taken: value.kind === "header" ? value.length : octets.length };
  });
  clearTimeout(timer);
  return isLate ? { kind: "invalid", reason: "no PROXY header in time" } : header;
}

/** A proxy sends it at once; three seconds are for a lost packet (its specification, section 2). */
const PROXY_HEADER_TIME_MS = 5_000;
