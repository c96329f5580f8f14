// The end of a connection's AUTHORIZATION part: the client, its ticket and what it sent already go to its TRANSACTION
// part. Two ways, one shape: through a mailbox process's socket ("separate"), or by a call ("combined").
import type * as net from "node:net";
import type { Connection } from "../net/connection.ts";
import { Upstream } from "../net/relay.ts";
import type { StallLimits } from "../net/stall-watch.ts";
import type { Choices } from "../pop3/choices.ts";
import { err } from "../pop3/reply.ts";
import type { Texts } from "../pop3/texts/texts.ts";
import type { MailboxService } from "./mailbox-service.ts";
import { mailboxSocket } from "./placement.ts";
import { presentTicket } from "./presented-ticket.ts";

export type HandOverResult =
  /** The client is served by its TRANSACTION part; this part is over and must not touch the socket again. */
  { readonly kind: "taken" } | { readonly kind: "refused"; readonly reply: string };

/**
 * @param client its connection works on the login, so nothing is read from it meanwhile
 * @param onOver called once, when a client that was taken is gone
 */
export type HandOver = (
  client: {
    readonly socket: net.Socket;
    readonly connection: Connection;
    readonly state: { readonly choices: Choices; readonly texts: Texts };
  },
  /** `place`: the mailbox process that accepts the ticket. */
  login: { readonly ticket: string; readonly place: string },
  onOver: () => void,
) => Promise<HandOverResult>;

/** Hands over to a mailbox process and relays from then on. @param limits as of now, for those that are relayed already, too */
export function handOverByRelay(runtimeDir: string, limits: () => StallLimits): HandOver {
  return ({ socket, connection, state }, { ticket, place }, onOver) =>
    new Promise((resolve) => {
      const read = connection.takeRest();
      let reply = "";
      let isDecided = false;
      const refuse = (text: string): void => {
        if (isDecided) return;
        isDecided = true;
        socket.off("close", onClientClose);
        connection.unread(read);
        upstream.destroy();
        resolve({ kind: "refused", reply: text });
      };
      const upstream = new Upstream(mailboxSocket(runtimeDir, place), {
        onReply: (octets) => {
          reply += octets.toString("latin1");
          if (!reply.includes("\n")) return false;
          if (!reply.startsWith("+OK")) {
            refuse(reply);
            return true;
          }
          isDecided = true;
          socket.off("close", onClientClose);
          // Its TRANSACTION part says it; this one passes it on.
          connection.output.text(reply);
          connection.detach();
          upstream.relay(socket, limits, onOver);
          resolve({ kind: "taken" });
          return true;
        },
        onClose: () => refuse(err(state.texts.maildropUnavailable, "SYS/TEMP")),
      });
      // A client that leaves now takes its session with it.
      const onClientClose = (): void => refuse("");
      socket.on("close", onClientClose);
      upstream.write(
        Buffer.concat([Buffer.from(`${presentTicket(ticket, state.choices)}\n`, "latin1"), read]),
      );
    });
}

/** Hands over within this process, to the service of the account's own index. */
export function handOverByCall(service: MailboxService): HandOver {
  return async ({ socket, connection, state }, { ticket }, onOver) => {
    const admission = await service.admit(ticket, state.choices);
    if (admission.kind === "refused") return admission;
    if (socket.destroyed) {
      admission.maildrop.close();
      return { kind: "refused", reply: "" };
    }
    const read = connection.takeRest();
    connection.detach();
    socket.on("close", onOver);
    service.serve(socket, read, admission);
    return { kind: "taken" };
  };
}
