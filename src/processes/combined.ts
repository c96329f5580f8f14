// A worker, when `server.processes` is "combined": login and mailbox in one process, run as the one owner of all mail.
// Faster, and a client's first octets are parsed with the right to read mail.
import { runChild } from "./child/child.ts";
import { tracing } from "./child/tracing.ts";
import { handOverByCall } from "./login/hand-over.ts";
import { LoginService } from "./login/login-service.ts";
import { RememberedLogins } from "./login/remembered-logins.ts";
import { MailboxService } from "./mailbox/mailbox-service.ts";
import { practise } from "./mailbox/practice.ts";

runChild("combined", async (settings, { log, fellows, send }) => {
  const mailboxes = new MailboxService(settings.mailbox, log, { fellows });
  const remembered = new RememberedLogins({
    passwdFile: settings.passwdFile,
    ticketKey: settings.mailbox.ticketKey,
    keepTicket: (ticket) => mailboxes.keepTicket(ticket),
  });
  const logins = new LoginService(settings.login, {
    handOver: handOverByCall(mailboxes),
    remembered,
    // The client's, the lock's, and the message's that is being read.
    descriptorsPerSession: 3,
    tellCounts: (counts) => send({ kind: "sessions-here", counts }),
    log,
  });
  await logins.ready;
  void practise();
  return {
    accept: (socket, index) => logins.accept(socket, index),
    answers: [tracing.answers, mailboxes.answers, logins.answers, remembered.answers],
    heardCounts: (counts) => logins.heardCounts(counts),
    keepTo: (parts) => logins.keepTo(parts),
    configure: (changed) => {
      mailboxes.configure(changed.mailbox);
      logins.configure(changed.login);
      remembered.configure(changed);
    },
    whenIdle: async () => {
      await logins.whenIdle();
      await mailboxes.whenIdle();
    },
    drain: async () => {
      await Promise.all([mailboxes.drain(), logins.drain()]);
    },
  };
});
