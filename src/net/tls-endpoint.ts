// Our end of TLS: makes a secured connection of a plain one, for POP3S and for STLS. Runs in login processes, with the
// certificates, private keys and session ticket keys that master has sent.
import { constants, createHash, randomBytes } from "node:crypto";
import type * as net from "node:net";
import * as tls from "node:tls";
import { certificatesOf } from "./certificates.ts";
import { MAX_CLIENT_HELLO_OCTETS, parseClientHello } from "./client-hello.ts";
import { coversName, examineKeyPair, type KeyPair } from "./key-pair.ts";
import { readStart } from "./read-start.ts";
import { examineRevocationLists } from "./revocation-list.ts";

export interface TlsSettings {
  /** The first one serves clients that name no host, or an unknown one. */
  readonly keyPairs: readonly KeyPair[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's notation; Node's own choice where undefined. */
  readonly ciphers?: string | undefined;
  /** PEM texts of the authorities whose client certificates count; none: clients are asked for none. */
  readonly clientAuthorities: readonly string[];
  /** PEM texts of those authorities' lists, one each: with any, each authority needs one, or none of its certificates counts. */
  readonly revocationLists: readonly string[];
  /** 48 random bytes each, in base64. The first makes tickets, all open them. */
  readonly ticketKeys: readonly string[];
  /** How long a client may come back with its ticket. */
  readonly ticketLifetimeMs: number;
}

export type Handshake =
  | { readonly kind: "secured"; readonly socket: tls.TLSSocket }
  /** The plain connection is destroyed. */
  | { readonly kind: "failed"; readonly reason: string };

/** Holds one state of the settings: others make another endpoint, and connections that are secured already stay. */
export class TlsEndpoint {
  // They never listen: they are given the connections that others have accepted. One for each set of certificates, since
  // Node's SNICallback adds one certificate to those of its server, and takes none away.
  #servers: Servers;
  readonly #settings: TlsSettings;
  /** When authorities and revocation lists cease to hold, and how many had when the servers were made. */
  readonly #ends: readonly number[];
  #ended: number;
  readonly #waiting = new Map<net.Socket, (handshake: Handshake) => void>();
  readonly #ticketKeys: readonly TicketKey[];

  constructor(settings: TlsSettings) {
    this.#settings = settings;
    this.#ticketKeys = settings.ticketKeys.map(parseTicketKey);
    this.#ends = endsOf(settings);
    this.#ended = this.#countEnded();
    this.#servers = this.#makeServers();
  }

  #makeServers(): Servers {
    const settings = this.#settings;
    const { fallback, byName } = chooseKeyPairs(settings.keyPairs);
    const servers = new Map<string, tls.Server>();
    const serverFor = (keyPairs: readonly KeyPair[]): tls.Server => {
      const key = keyPairs.map((pair) => settings.keyPairs.indexOf(pair)).join();
      const server = servers.get(key) ?? this.#makeServer(settings, keyPairs, key);
      servers.set(key, server);
      return server;
    };
    return {
      fallback: serverFor(fallback),
      byName: new Map([...byName].map(([name, keyPairs]) => [name, serverFor(keyPairs)])),
    };
  }

  #countEnded(): number {
    return this.#ends.filter((endMs) => Date.now() > endMs + CLOCK_LAG_MS).length;
  }

  /** @param socket without listeners; what was read from it and unshifted belongs to the handshake */
  async secure(socket: net.Socket): Promise<Handshake> {
    const ended = this.#countEnded();
    if (ended !== this.#ended) {
      this.#ended = ended;
      this.#servers = this.#makeServers();
    }
    const server = await this.#serverFor(socket);
    return await new Promise((resolve) => {
      // Whoever has sent its last octet before TLS has left: OpenSSL would not hear of that.
      if (socket.destroyed || socket.readableEnded) {
        socket.destroy();
        resolve({ kind: "failed", reason: "closed" });
        return;
      }
      this.#waiting.set(socket, resolve);
      socket.on("error", () => {
        // "close" follows.
      });
      socket.once("close", () => {
        this.#waiting.delete(socket);
        resolve({ kind: "failed", reason: "closed" });
      });
      // Who sends no more amid a handshake has left: Node would wait with its answer for as long as the session has.
      socket.allowHalfOpen = false;
      server.emit("connection", socket);
    });
  }

  /** By the host that the client asks for; where there is nothing to choose, nothing is read. */
  async #serverFor(socket: net.Socket): Promise<tls.Server> {
    const { fallback, byName } = this.#servers;
    if ([...byName.values()].every((server) => server === fallback)) return fallback;
    const hello = await readStart(socket, (octets) => {
      const value = parseClientHello(octets);
      const isEnough = value.kind !== "incomplete" || octets.length > MAX_CLIENT_HELLO_OCTETS;
      return isEnough ? { value, taken: 0 } : undefined;
    });
    if (hello?.kind !== "hello" || hello.host === undefined) return fallback;
    const { host } = hello;
    return byName.get(host) ?? byName.get(`*${host.slice(host.indexOf("."))}`) ?? fallback;
  }

  /** @param key tells the server from those for other names, in each process alike */
  #makeServer(settings: TlsSettings, keyPairs: readonly KeyPair[], key: string): tls.Server {
    const { minVersion, ciphers, clientAuthorities, revocationLists, ticketLifetimeMs } = settings;
    const server = tls.createServer({
      cert: keyPairs.map(({ certificate }) => certificate),
      key: keyPairs.map(({ privateKey }) => privateKey),
      minVersion,
      ...(ciphers === undefined ? {} : { ciphers }),
      ...(clientAuthorities.length === 0 ? {} : { ca: [...clientAuthorities] }),
      ...(revocationLists.length === 0 ? {} : { crl: [...revocationLists] }),
      requestCert: clientAuthorities.length > 0,
      rejectUnauthorized: false,
      honorCipherOrder: true,
      // Nothing needs a second handshake on a connection, and it costs us more than whoever asks for it.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      // A resumed session's certificate is not verified again. So one that was begun with other authorities or lists, or while one
      // of them still held, is not resumed. Nor is one that was begun under a name with another certificate (RFC 6066 §3).
      sessionIdContext: createHash("sha256")
        .update([...clientAuthorities, ...revocationLists, `${this.#ended}`, key].join("\n"))
        .digest("hex")
        .slice(0, 32),
      sessionTimeout: Math.max(1, Math.ceil(ticketLifetimeMs / 1000)),
      // The session has its own clock, from connecting to being logged in.
      handshakeTimeout: LONGEST_HANDSHAKE_MS,
    });
    this.#takeTicketKeys((server as unknown as ServerInternals)._sharedCreds);
    server.on("secureConnection", (socket) => {
      // From now on it may have said all, and wait for answers.
      socket.allowHalfOpen = true;
      this.#settle(socket, { kind: "secured", socket });
    });
    server.on("tlsClientError", (error, socket) => {
      this.#settle(socket, {
        kind: "failed",
        reason: (error as NodeJS.ErrnoException).code ?? error.message,
      });
      socket.destroy();
    });
    return server;
  }

  #settle(secured: tls.TLSSocket, handshake: Handshake): void {
    const socket = (secured as unknown as SocketInternals)._parent;
    this.#waiting.get(socket)?.(handshake);
    this.#waiting.delete(socket);
  }

  /** Two generations of keys need OpenSSL's callback, which Node has and does not document; one key is what it documents. */
  #takeTicketKeys(secureContext: tls.SecureContext): void {
    const context = secureContext.context as ContextInternals;
    context.onticketkeycallback = (name, iv, isNew) => this.#findTicketKey(name, iv, isNew);
    context.enableTicketKeyCallback();
  }

  #findTicketKey(name: Buffer, _iv: Buffer, isNew: boolean): TicketKeyAnswer {
    const [newest] = this.#ticketKeys;
    if (newest === undefined) return [CANNOT, NO_KEY, NO_KEY];
    if (isNew) return [MADE, newest.hmac, newest.aes, newest.name, randomBytes(16)];
    const key = this.#ticketKeys.find((candidate) => candidate.name.equals(name));
    if (key === undefined) return [NOT_FOUND, NO_KEY, NO_KEY];
    // RFC 8446 appendix C.4: each ticket is for one connection, so whoever brings one is given the next.
    return [FOUND_AND_RENEW, key.hmac, key.aes];
  }
}

/** When each of those that vouch for client certificates ceases to hold. */
function endsOf({ clientAuthorities, revocationLists }: TlsSettings): readonly number[] {
  return [
    ...clientAuthorities.flatMap((text) => certificatesOf(text).map(({ validTo }) => Date.parse(validTo))),
    ...revocationLists.flatMap((text) => {
      const list = examineRevocationLists(text);
      return list.kind === "sound" ? (list.nextUpdateMs ?? []) : [];
    }),
  ];
}

/** OpenSSL's clock has seconds: only then does it surely refuse what a session begun from now on would be resumed with. */
const CLOCK_LAG_MS = 1_000;

interface Servers {
  readonly fallback: tls.Server;
  readonly byName: ReadonlyMap<string, tls.Server>;
}

/** Who never finishes the handshake is cut off by the session's login time; this is for the case that nobody does. */
const LONGEST_HANDSHAKE_MS = 10 * 60_000;

/** For each name its pairs, one of each key type, so that a client can take the type that it knows. */
function chooseKeyPairs(keyPairs: readonly KeyPair[]): {
  readonly fallback: readonly KeyPair[];
  readonly byName: ReadonlyMap<string, readonly KeyPair[]>;
} {
  const examined = keyPairs.flatMap((pair) => {
    const result = examineKeyPair(pair);
    return result.kind === "sound" ? [{ pair, facts: result.facts }] : [];
  });
  const pairsFor = (host: string): readonly KeyPair[] => {
    const chosen = new Map<string, KeyPair>();
    for (const { pair, facts } of examined) {
      if (!chosen.has(facts.keyType) && facts.names.some((name) => coversName(name, host)))
        chosen.set(facts.keyType, pair);
    }
    return [...chosen.values()];
  };
  const names = new Set(examined.flatMap(({ facts }) => facts.names));
  const byName = new Map([...names].map((name) => [name, pairsFor(name)]));
  const [first] = keyPairs;
  const [firstName] = examined[0]?.facts.names ?? [];
  const fallback = byName.get(firstName ?? "") ?? (first === undefined ? [] : [first]);
  return { fallback, byName };
}

interface TicketKey {
  readonly name: Buffer;
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

function parseTicketKey(base64: string): TicketKey {
  const bytes = Buffer.from(base64, "base64");
  return { name: bytes.subarray(0, 16), hmac: bytes.subarray(16, 32), aes: bytes.subarray(32, 48) };
}

// SSL_CTX_set_tlsext_ticket_key_cb(3).
const CANNOT = -1;
const NOT_FOUND = 0;
const MADE = 1;
const FOUND_AND_RENEW = 2;
const NO_KEY = Buffer.alloc(16);

type TicketKeyAnswer = readonly [number, Buffer, Buffer, Buffer?, Buffer?];

interface ContextInternals {
  onticketkeycallback: (name: Buffer, iv: Buffer, isNew: boolean) => TicketKeyAnswer;
  enableTicketKeyCallback(): void;
}

interface ServerInternals {
  readonly _sharedCreds: tls.SecureContext;
}

interface SocketInternals {
  /** The plain connection below. */
  readonly _parent: net.Socket;
}
