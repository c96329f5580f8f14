// A POP3 session over any stream, for programs that have their users and their mail elsewhere: the server's own session
// classes, without its processes.
import { randomBytes } from "node:crypto";
import type * as net from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { tlsFacts } from "../net/tls-facts.ts";
import type { LanguageTag } from "../pop3/language.ts";
import { err } from "../pop3/reply.ts";
import { type Client, plainClient } from "../processes/arrival.ts";
import { AuthorizationSession } from "../processes/authorization-session.ts";
import type { HandOver } from "../processes/hand-over.ts";
import { POP3_IMPLEMENTATION } from "../processes/offered.ts";
import { nthPlace } from "../processes/placement.ts";
import type { SessionMaildrop } from "../processes/session-maildrop.ts";
import { TransactionSession } from "../processes/transaction-session.ts";
import { exchange, OFFERED } from "./log-in.ts";
import { type OnLog, quietLog } from "./on-log.ts";
import { type OwnMaildrop, sessionMaildropOf } from "./own-maildrop.ts";

export interface Pop3Options {
  /** In greeting and sign-off: visible ASCII without spaces, "<", ">" and "@". */
  readonly serverName: string;
  /**
   * Whether these are the credentials of somebody, and their maildrop, locked for this session; "locked": another session has it.
   * Where it rejects, the client is told to come back later.
   */
  logIn(user: string, password: string, client: Pop3Client): Promise<LoginResult>;
  /** Where passwords are taken without TLS: nowhere, from 127.0.0.0/8 and ::1 (default), everywhere. */
  readonly plaintextWithoutTls?: "never" | "loopback" | "always";
  /** The client's address, where the stream is no socket that knows it. */
  readonly address?: string;
  /** Whether the stream is encrypted; default: whether it is a TLSSocket. */
  readonly secured?: boolean;
  /** Until the client chooses another (LANG); default "i-default", English. */
  readonly language?: LanguageTag;
  /** A refused login is answered no sooner, ms; default 2,000. Count failures yourself, across sessions. */
  readonly failureDelayMs?: number;
  /** From the begin to being logged in, ms; default 3 minutes. */
  readonly loginTimeMs?: number;
  /** Without a command after login, ms; default 10 minutes, RFC 1939's least. */
  readonly idleTimeMs?: number;
  /** A client that takes nothing of what it asked for counts as gone after this, ms; default 100 seconds. */
  readonly stallTimeMs?: number;
  /** What happens, for your log; no password is ever in it. */
  readonly onLog?: OnLog;
}

export interface Pop3Client {
  /** "" where nobody knows it. */
  readonly address: string;
  readonly secured: boolean;
}

/** A maildrop of your own, or a Maildir that openMaildir() has opened. */
export type LoginResult = OwnMaildrop | SessionMaildrop | "refused" | "locked";

export interface Pop3Session {
  /** Lets the running command finish, then closes without deleting anything. */
  end(): void;
  /** Settles when the client is gone and its maildrop is closed. */
  readonly over: Promise<void>;
}

/** Serves one client from the greeting on. The stream is the session's from now on. */
export function servePop3(stream: Duplex, options: Pop3Options): Pop3Session {
  const { serverName, language = "i-default", plaintextWithoutTls = "loopback" } = options;
  const session = randomBytes(8).toString("hex");
  const client = clientOf(stream, options);
  const log = quietLog(options.onLog);
  let opened: { account: string; result: Exclude<LoginResult, "refused"> } | undefined;
  let transaction: TransactionSession | undefined;
  let isEnding = false;
  let settle: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    settle = resolve;
  });

  const check = async (user: string, password: string): Promise<boolean> => {
    const secured = client.tls !== undefined;
    const result = await options.logIn(user, password, { address: client.address, secured });
    if (result === "refused") return false;
    if (stream.destroyed || isEnding) {
      // Nobody is there any more to have it.
      if (result !== "locked") maildropOf(result).close();
      return false;
    }
    opened = { account: user, result };
    return true;
  };

  const handOver: HandOver = async ({ connection, state }) => {
    if (opened === undefined) throw new Error("nobody has logged in");
    const { account, result } = opened;
    opened = undefined;
    if (result === "locked") return { kind: "refused", reply: err(state.texts.maildropLocked, "IN-USE") };
    const maildrop = maildropOf(result);
    if (stream.destroyed || isEnding) {
      maildrop.close();
      return { kind: "refused", reply: "" };
    }
    const read = connection.takeRest();
    connection.detach();
    transaction = new TransactionSession(stream, read, {
      ticket: {
        session,
        account,
        address: client.address,
        mechanism: "PLAIN",
        secured: client.tls !== undefined,
        ...(client.tls === undefined ? {} : { tls: client.tls.tls }),
      },
      maildrop,
      options: {
        serverName,
        language,
        choices: state.choices,
        maxUselessCommands: 30,
        capabilities: {
          mechanisms: [...OFFERED.keys()],
          passwordAllowed: true,
          implementation: POP3_IMPLEMENTATION,
        },
      },
      idleTimeMs: options.idleTimeMs ?? 600_000,
      stall: () => ({ stallTimeMs: options.stallTimeMs ?? 100_000, minOctetsPerSecond: 100 }),
      isRelayed: false,
      log,
      now: Date.now,
      onOver: settle,
    });
    return { kind: "taken" };
  };

  const authorization = new AuthorizationSession(stream as net.Socket, client, {
    session,
    arrivals: { canStartTls: false, startTls: () => Promise.reject(new Error("STLS is not offered")) },
    loginTimeMs: options.loginTimeMs ?? 180_000,
    settings: { serverName, language, maxUselessCommands: 10, plaintextWithoutTls },
    auth: {
      mechanisms: OFFERED,
      retention: undefined,
      start: (request, { challenge, ok, failed }) =>
        exchange(
          request,
          {
            challenge,
            ok: (fields) => ok(new Map([...fields, ["ticket", session], ["place", nthPlace(0)]])),
            failed,
          },
          check,
          options.failureDelayMs ?? 2_000,
        ),
    },
    handOver,
    log,
    onOver: settle,
  });
  return {
    over,
    end: () => {
      isEnding = true;
      if (transaction === undefined) authorization.drain();
      else transaction.drain();
    },
  };
}

function maildropOf(maildrop: OwnMaildrop | SessionMaildrop): SessionMaildrop {
  return "openMessage" in maildrop ? maildrop : sessionMaildropOf(maildrop);
}

function clientOf(stream: Duplex, { address, secured }: Pop3Options): Client {
  const plain = plainClient(stream as net.Socket);
  const tls = stream instanceof TLSSocket ? tlsFacts(stream, "email") : undefined;
  const elsewhere = { tls: "by the stream", channelBinding: undefined, clientCertificateUser: undefined };
  return {
    ...plain,
    address: address ?? plain.address,
    tls: secured === undefined ? tls : secured ? (tls ?? elsewhere) : undefined,
  };
}
