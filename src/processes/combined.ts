// A worker, when `server.processes` is "combined": login and mailbox in one process, run as the one owner of all mail.
// Faster, and a client's first octets are parsed with the right to read mail.
import { runChild, serveFd } from "./child.ts";
import { handOverByCall } from "./hand-over.ts";
import { LoginService } from "./login-service.ts";
import { MailboxService } from "./mailbox-service.ts";

runChild("combined", async (settings, { log, listenerFds, fellows }) => {
  const mailboxes = new MailboxService(settings.mailbox, log, { fellows });
  const logins = new LoginService(settings.login, handOverByCall(mailboxes), log);
  await logins.ready;
  const servers = await Promise.all(
    listenerFds.map((fd, index) =>
      serveFd(fd, { allowHalfOpen: true }, (socket) => logins.accept(socket, index)),
    ),
  );
  return {
    answers: [mailboxes.answers, logins.answers],
    configure: (changed) => {
      mailboxes.configure(changed.mailbox);
      logins.configure(changed.login);
    },
    drain: async () => {
      for (const server of servers) server.close();
      await Promise.all([mailboxes.drain(), logins.drain()]);
    },
  };
});
