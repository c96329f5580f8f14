// A mailbox process, run as the mail's owner: TRANSACTION and UPDATE states on that owner's Maildirs. It never sees a
// password and serves nobody without a ticket. Its one socket is for our login processes.
import type * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { OpenSet } from "../host/open-set.ts";
import type { Log } from "../log/log.ts";
import { endGently } from "../net/end-gently.ts";
import { runChild } from "./child/child.ts";
import { tracing } from "./child/tracing.ts";
import { OPENING } from "./link-frames.ts";
import { MailboxService } from "./mailbox/mailbox-service.ts";
import { PassedClients } from "./mailbox/passed-clients.ts";
import { practise } from "./mailbox/practice.ts";
import { parsePresented } from "./presented-ticket.ts";
import { SessionsHere } from "./session-counts.ts";
import type { MailOwner } from "./settings.ts";
import { MAX_TICKET_OCTETS } from "./ticket.ts";

runChild("mailbox", async (settings, { log, fellows, send }) => {
  if (settings.owner !== undefined) holdTo(settings.owner);
  // A process of one account serves too few sessions to be worth it.
  else void practise();
  const service = new MailboxService(settings, log, { fellows });
  /** Connections that have not shown their ticket yet. */
  const arriving = new OpenSet<net.Socket>();
  let admitting = 0;
  // Master ends the process of one owner when it is idle.
  const report = (presented: number): void => {
    if (settings.owner === undefined) return;
    send({ kind: "sessions", open: service.openSessions + admitting, presented });
  };
  service.onSessionOver = () => report(0);
  const present = async (serve: () => Promise<void>): Promise<void> => {
    admitting++;
    report(1);
    await serve();
    admitting--;
    report(0);
  };
  const orphans = new SessionsHere((counts) => send({ kind: "sessions-here", counts }));
  const passed = new PassedClients({
    service,
    present,
    onOrphaned: (address) => orphans.enter(address),
    log,
  });
  return {
    accept: (socket) => {
      arriving.add(socket);
      socket.once("close", () => arriving.delete(socket));
      readFirstLine(socket, (line, read) => {
        const [, kind, name] = OPENING.exec(line) ?? [];
        if (name !== undefined) passed.join(kind as "link" | "descriptors", name, socket, read);
        else void present(() => begin(service, log, socket, line, read));
        arriving.delete(socket);
      });
    },
    answers: [tracing.answers, service.answers],
    configure: (changed) => service.configure(changed),
    // Login processes show tickets at once: when these are redeemed, no other one can be any more.
    retire: async () => {
      await Promise.all([
        Promise.race([arriving.whenEmpty(), delay(TICKET_PATIENCE_MS)]),
        passed.retire(TICKET_PATIENCE_MS),
      ]);
      for (const socket of arriving) socket.destroy();
      return service.usedTickets();
    },
    whenIdle: () => service.whenIdle(),
    succeed: (handed) => service.succeed(handed),
    drain: () => service.drain(),
  };
});

const TICKET_PATIENCE_MS = 1_000;

/** @throws when this process does not run as the owner, or has more rights than the owner's one group gives */
function holdTo({ uid, gid }: MailOwner): void {
  const [ownUid, ownGid] = [process.getuid!(), process.getgid!()];
  const groups = process.getgroups!().filter((group) => group !== gid);
  if (ownUid === uid && ownGid === gid && groups.length === 0) return;
  throw new Error(`started for ${uid}:${gid}, but runs as ${ownUid}:${ownGid} with groups [${groups}]`);
}

async function begin(
  service: MailboxService,
  log: Log,
  socket: net.Socket,
  line: string,
  read: Uint8Array,
): Promise<void> {
  const presented = parsePresented(line);
  if (presented === undefined) {
    log.error("malformed line with a ticket");
    socket.destroy();
    return;
  }
  try {
    const admission = await service.admit(presented.sealed, presented.choices);
    if (admission.kind === "refused") {
      socket.write(admission.reply, "latin1");
      endGently(socket);
    } else if (socket.destroyed) admission.maildrop.close();
    else service.serve(socket, read, admission, { isRelayed: true });
  } catch (error) {
    log.error({ err: error }, "cannot admit session");
    socket.destroy();
  }
}

/** A ticket, behind which the client's octets follow; or the opening of a link. The socket is paused when it is complete. */
function readFirstLine(socket: net.Socket, onLine: (line: string, read: Uint8Array) => void): void {
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
    onLine(received.toString("latin1", 0, end), received.subarray(end + 1));
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
