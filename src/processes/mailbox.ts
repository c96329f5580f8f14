// A mailbox process, run as the mail's owner: TRANSACTION and UPDATE states on that owner's Maildirs. It never sees a
// password and serves nobody without a ticket. Its one socket is for our login processes.
import type * as net from "node:net";
import { endGently } from "../net/end-gently.ts";
import { runChild, serveFd } from "./child.ts";
import { MailboxService } from "./mailbox-service.ts";
import { MAX_TICKET_OCTETS } from "./ticket.ts";

runChild("mailbox", async (settings, { log, listenerFds }) => {
  const service = new MailboxService(settings, log);
  const servers = await Promise.all(
    listenerFds.map((fd) =>
      serveFd(fd, { allowHalfOpen: true }, (socket) => {
        readTicket(socket, (ticket, read) => {
          service.admit(ticket).then(
            (admission) => {
              if (admission.kind === "refused") {
                socket.write(admission.reply, "latin1");
                endGently(socket);
              } else if (socket.destroyed) admission.maildrop.close();
              else service.serve(socket, read, admission);
            },
            (error: unknown) => {
              log.error({ err: error }, "cannot admit session");
              socket.destroy();
            },
          );
        });
      }),
    ),
  );
  return {
    answers: [service.answers],
    configure: (changed) => service.configure(changed),
    drain: () => {
      for (const server of servers) server.close();
      return service.drain();
    },
  };
});

/** The first line is the ticket; what follows is the client's. The socket is paused when the ticket is complete. */
function readTicket(socket: net.Socket, onTicket: (ticket: string, read: Uint8Array) => void): void {
  let received: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const end = received.indexOf(10);
    if (end === -1 ? received.length > MAX_TICKET_OCTETS : end > MAX_TICKET_OCTETS) {
      socket.destroy();
      return;
    }
    if (end === -1) return;
    socket.off("data", onData);
    socket.off("end", onEnd);
    socket.pause();
    onTicket(received.toString("latin1", 0, end), received.subarray(end + 1));
  };
  const onEnd = (): void => {
    socket.destroy();
  };
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.on("error", () => {
    // "close" follows; a session that is under way is told by its own listener.
  });
}
