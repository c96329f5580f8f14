// A real login, as the account's mail program would: over POP3S where that is offered. It ends without QUIT, so that no
// UPDATE state comes of it: nothing is deleted or moved.
import * as net from "node:net";
import * as tls from "node:tls";
import type { Config } from "../config/schema.ts";
import { escapeControls } from "../log/safe-text.ts";
import { formatListenAddress } from "../net/address.ts";
import { reachable } from "./check-ports.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("login");
/** A login may wait for the throttle, for a lock and for a count of messages. */
const PATIENCE_MS = 60_000;

export function checkLogin({ server }: Config, user: string, password: string): Promise<Finding> {
  const [secure] = server.listen_tls;
  const address = secure ?? server.listen[0];
  if (address === undefined)
    return Promise.resolve(
      report("error", "no listener takes connections from here", "set server.listen or listen_tls"),
    );
  const where = `${secure === undefined ? "POP3" : "POP3S"} at ${formatListenAddress(address)}`;
  const target = { host: reachable(address.host), port: address.port };
  const commands = [`USER ${user}`, `PASS ${password}`, "STAT"];
  return new Promise((resolve) => {
    const socket =
      secure === undefined ? net.connect(target) : tls.connect({ ...target, rejectUnauthorized: false });
    const startedMs = Date.now();
    let received = "";
    const settle = (finding: Finding): void => {
      socket.destroy();
      resolve(finding);
    };
    const fail = (what: string): void =>
      settle(
        report("error", `${user} cannot log in by ${where}: ${escapeControls(what)}`, `pop3-ctl why ${user}`),
      );
    socket.setTimeout(PATIENCE_MS, () => fail(`no answer for ${PATIENCE_MS / 1000}s`));
    socket.once("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once("close", () => fail("the server closed the connection"));
    socket.on("data", (octets: Buffer) => {
      received += octets.toString("latin1");
      for (let end = received.indexOf("\r\n"); end !== -1; end = received.indexOf("\r\n")) {
        const line = received.slice(0, end);
        received = received.slice(end + 2);
        if (!line.startsWith("+OK")) return fail(line);
        const next = commands.shift();
        if (next === undefined) {
          const [, messages, total] = line.split(" ");
          const ms = Date.now() - startedMs;
          return settle(
            report(
              "ok",
              `${user} logs in by ${where} in ${ms} ms and finds ${messages} messages (${total} octets)`,
            ),
          );
        }
        socket.write(`${next}\r\n`);
      }
    });
  });
}
