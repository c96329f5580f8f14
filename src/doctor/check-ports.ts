// Whether every address of the config is served, or could be: with a running server by connecting to it as a client
// would, without one by whether somebody else has the port.
import { execFile } from "node:child_process";
import * as net from "node:net";
import * as tls from "node:tls";
import type { Config } from "../config/schema.ts";
import { escapeControls } from "../log/safe-text.ts";
import { formatListenAddress, type ListenAddress } from "../net/address.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("ports");
const PATIENCE_MS = 10_000;

export async function checkPorts({ server }: Config, isRunning: boolean): Promise<readonly Finding[]> {
  const listeners = [
    ...server.listen.map((address) => ({ address, key: "server.listen", isTls: false, isProxied: false })),
    ...server.listen_tls.map((address) => ({
      address,
      key: "server.listen_tls",
      isTls: true,
      isProxied: false,
    })),
    ...[...server.listen_proxy, ...server.listen_tls_proxy].map((address) => {
      return { address, key: "server.listen_proxy", isTls: false, isProxied: true };
    }),
  ];
  return await Promise.all(
    listeners.map(async ({ address, key, isTls, isProxied }): Promise<Finding> => {
      const name = formatListenAddress(address);
      let answer = await greetingOf(address, isTls, isProxied);
      // A program that has the port by IPv4 alone keeps "::" from being opened, too.
      if (!isRunning && answer.kind === "refused" && address.host === "::")
        answer = await greetingOf({ ...address, host: "0.0.0.0" }, isTls, isProxied);
      if (answer.kind === "refused") {
        return isRunning
          ? report(
              "error",
              `${name} (${key}): nobody listens (${answer.code}), and the server runs`,
              "it was added after the start, or the server failed to open it: systemctl restart dewey-pop3, then read its log",
            )
          : report("ok", `${name} (${key}) is free`);
      }
      const holder = await holderOf(address.port);
      if (!isRunning) {
        return report(
          "error",
          `${name} (${key}) is taken by ${holder}, and this server does not run`,
          "end the other program, or give one of them another port",
        );
      }
      if (isProxied) return report("ok", `${name} (${key}) listens`);
      if (answer.kind === "silent" || !answer.line.startsWith("+OK")) {
        const said = answer.kind === "silent" ? answer.reason : `says "${escapeControls(answer.line)}"`;
        return report(
          "error",
          `${name} (${key}) ${said}: no POP3 server's greeting; ${holder} has the port`,
          "read the server's log",
        );
      }
      return report("ok", `${name} (${key}) greets${answer.tls === undefined ? "" : ` over ${answer.tls}`}`);
    }),
  );
}

type Greeting =
  | { readonly kind: "line"; readonly line: string; readonly tls: string | undefined }
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "silent"; readonly reason: string };

/** The certificate is not this check's: any will do. */
function greetingOf({ host, port }: ListenAddress, isTls: boolean, isProxied: boolean): Promise<Greeting> {
  const target = { host: reachable(host), port };
  return new Promise((resolve) => {
    const socket = isTls ? tls.connect({ ...target, rejectUnauthorized: false }) : net.connect(target);
    let received = "";
    let isConnected = false;
    const settle = (greeting: Greeting): void => {
      socket.destroy();
      resolve(greeting);
    };
    socket.setTimeout(PATIENCE_MS, () =>
      settle(
        isConnected
          ? { kind: "silent", reason: `says nothing for ${PATIENCE_MS / 1000}s` }
          : { kind: "refused", code: "ETIMEDOUT" },
      ),
    );
    socket.once("connect", () => {
      isConnected = true;
      if (isProxied) settle({ kind: "silent", reason: "waits for a PROXY header" });
    });
    socket.on("data", (octets: Buffer) => {
      received += octets.toString("latin1");
      const end = received.indexOf("\n");
      if (end === -1 && received.length < 512) return;
      const version = socket instanceof tls.TLSSocket ? (socket.getProtocol() ?? undefined) : undefined;
      settle({ kind: "line", line: received.slice(0, end === -1 ? 512 : end).trimEnd(), tls: version });
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      settle(isConnected ? { kind: "silent", reason: `breaks off (${code})` } : { kind: "refused", code });
    });
    socket.once("close", () => settle({ kind: "silent", reason: "closes the connection" }));
  });
}

/** Where a client on this host reaches a server that listens on all addresses. */
export function reachable(host: string): string {
  return host === "::" ? "::1" : host === "0.0.0.0" ? "127.0.0.1" : host;
}

/** By ss(8), which tells the process to root only. */
export function holderOf(port: number): Promise<string> {
  return new Promise((resolve) => {
    execFile("ss", ["-Hltnp", `sport = :${port}`], (error, stdout) => {
      const [, program, pid] = error === null ? (/\(\("([^"]+)",pid=([0-9]+)/.exec(stdout) ?? []) : [];
      resolve(program === undefined ? "another program" : `${escapeControls(program)} (pid ${pid})`);
    });
  });
}
