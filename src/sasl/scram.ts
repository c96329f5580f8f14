// SCRAM (RFC 5802; with SHA-256 RFC 7677), with and without channel binding by tls-exporter (RFC 9266). The server learns
// that the client knows the password, and never the password. Run by the auth process.
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { parseIdentity } from "./identity.ts";
import type {
  Mechanism,
  MechanismContext,
  ScramHash,
  ScramVerifier,
  ServerMechanism,
  Step,
} from "./mechanism.ts";

export function scram(hash: ScramHash, channelBinding: "with" | "without"): Mechanism {
  const isPlus = channelBinding === "with";
  return {
    parameters: isPlus ? ["mutual-auth", "channel-binding"] : ["mutual-auth"],
    create: (context) => new ScramExchange(hash, isPlus, context),
  };
}

/** What the client's first message said, as far as the last one has to fit it. */
interface ClientFirst {
  readonly gs2Header: string;
  readonly bare: string;
  readonly nonce: string;
}

class ScramExchange implements ServerMechanism {
  readonly #hash: ScramHash;
  readonly #isPlus: boolean;
  readonly #context: MechanismContext;
  /** Set once the server's first message is out. */
  #finish: ((clientFinal: string) => Step) | undefined;

  constructor(hash: ScramHash, isPlus: boolean, context: MechanismContext) {
    this.#hash = hash;
    this.#isPlus = isPlus;
    this.#context = context;
  }

  start(initialResponse: Uint8Array | undefined): Step {
    return initialResponse === undefined
      ? { kind: "challenge", data: new Uint8Array(0) }
      : this.next(initialResponse);
  }

  next(response: Uint8Array): Step {
    const message = decodeText(response);
    if (message === undefined) return malformed("SCRAM: not UTF-8");
    return this.#finish === undefined ? this.#takeFirst(message) : this.#finish(message);
  }

  #takeFirst(message: string): Step {
    const match = CLIENT_FIRST.exec(message)?.groups;
    if (match === undefined) return malformed("SCRAM: the client's first message");
    const { header = "", flag = "", channel, authzid, bare = "", extension, name = "", nonce = "" } = match;
    // "m=" announces an extension that a server must understand, and none is defined.
    if (extension !== undefined) return refused("extensions-not-supported");
    const fault = this.#channelFault(flag, channel);
    if (fault !== undefined) return refused(fault);
    const authenticationIdentity = this.#parseName(name);
    const authorizationIdentity = authzid === undefined ? "" : this.#parseName(authzid);
    if (authenticationIdentity === undefined || authorizationIdentity === undefined) {
      return malformed("SCRAM: a name is malformed, forbidden by SASLprep, or longer than 255 octets");
    }
    const first: ClientFirst = { gs2Header: header, bare, nonce };
    return {
      kind: "verifier",
      hash: this.#hash,
      authorizationIdentity,
      authenticationIdentity,
      proceed: (verifier) => this.#challenge(first, verifier, authorizationIdentity, authenticationIdentity),
    };
  }

  /** RFC 5802 §6. @returns the server-error-value, or undefined */
  #channelFault(flag: string, channel: string | undefined): string | undefined {
    if (this.#isPlus) {
      if (this.#context.channelBinding === undefined) return "channel-binding-not-supported";
      if (flag !== "p") return "channel-bindings-dont-match";
      return channel === "tls-exporter" ? undefined : "unsupported-channel-binding-type";
    }
    if (flag === "p") return "channel-binding-not-supported";
    // "y" is a client that could bind and saw no -PLUS offered. Where one was, somebody in between took it away.
    return flag === "y" && this.#context.channelBinding !== undefined
      ? "server-does-support-channel-binding"
      : undefined;
  }

  /** saslname: "," and "=" are written =2C and =3D, and no other "=" is allowed. */
  #parseName(written: string): string | undefined {
    if (!/^(?:[^=]|=2C|=3D)+$/.test(written)) return undefined;
    const name = this.#context.prepareName(written.replaceAll("=2C", ",").replaceAll("=3D", "="));
    return name === undefined || name === "" ? undefined : parseIdentity(encoder.encode(name));
  }

  #challenge(
    first: ClientFirst,
    verifier: ScramVerifier,
    authorizationIdentity: string,
    authenticationIdentity: string,
  ): Step {
    const nonce = first.nonce + this.#context.makeNonce();
    const serverFirst = `r=${nonce},s=${encodeBase64(verifier.salt)},i=${verifier.iterations}`;
    this.#finish = (message) => {
      const match = CLIENT_FINAL.exec(message)?.groups;
      if (match === undefined) return malformed("SCRAM: the client's final message");
      const { withoutProof = "", binding = "", finalNonce, proof: writtenProof = "" } = match;
      const [channel, proof] = [decodeBase64(binding), decodeBase64(writtenProof)];
      if (channel === undefined || proof?.length !== verifier.storedKey.length) {
        return malformed("SCRAM: the client's final message");
      }
      if (finalNonce !== nonce) return malformed("SCRAM: another nonce");
      if (!equal(channel, this.#expectedBinding(first))) return refused("channel-bindings-dont-match");
      const { hash, hmac } = this.#context.hashing;
      const authMessage = encoder.encode(`${first.bare},${serverFirst},${withoutProof}`);
      const clientSignature = hmac(this.#hash, verifier.storedKey, authMessage);
      const clientKey = proof.map((octet, index) => octet ^ clientSignature[index]!);
      const serverSignature = hmac(this.#hash, verifier.serverKey, authMessage);
      return {
        kind: "proof",
        hash: this.#hash,
        authorizationIdentity,
        authenticationIdentity,
        verifier,
        isRight: equal(hash(this.#hash, clientKey), verifier.storedKey),
        serverFinal: encoder.encode(`v=${encodeBase64(serverSignature)}`),
      };
    };
    return { kind: "challenge", data: encoder.encode(serverFirst) };
  }

  #expectedBinding({ gs2Header }: ClientFirst): Uint8Array {
    const header = encoder.encode(gs2Header);
    const data = this.#isPlus ? this.#context.channelBinding : undefined;
    return data === undefined ? header : Uint8Array.from([...header, ...data]);
  }
}

// RFC 5802 §7. A nonce is printable ASCII without ",": 512 octets of it are more than any client sends.
const CLIENT_FIRST =
  /^(?<header>(?<flag>[ny]|p(?==))(?:(?<=p)=(?<channel>[A-Za-z0-9.-]+))?,(?:a=(?<authzid>[^,\0]+))?,)(?<bare>(?:(?<extension>m=[^,\0]+),)?n=(?<name>[^,\0]+),r=(?<nonce>[!-+\x2d-~]{1,512})(?:,[A-Za-z]=[^,\0]+)*)$/u;
const CLIENT_FINAL =
  /^(?<withoutProof>c=(?<binding>[A-Za-z0-9+/=]+),r=(?<finalNonce>[!-+\x2d-~]{1,1024})(?:,[A-Za-z](?<![mp])=[^,\0]+)*),p=(?<proof>[A-Za-z0-9+/=]+)$/u;

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(octets: Uint8Array): string | undefined {
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}

/** In a time that does not tell where they differ. */
function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (const [index, octet] of left.entries()) difference |= octet ^ right[index]!;
  return difference === 0;
}

function malformed(reason: string): Step {
  return { kind: "malformed", reason };
}

/** RFC 5802 §5.1: a failed exchange may end without "e=", and here it does, see `Step`. */
function refused(reason: string): Step {
  return { kind: "refused", reason };
}
