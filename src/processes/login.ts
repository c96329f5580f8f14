// A login process, run as `dewey-login`: accepts clients, AUTHORIZATION state, then passes them to the mailbox process, or
// relays octets to and from it where TLS ends here. Its sockets are the listening ones.
import { knowsDescriptors } from "../net/descriptor-of.ts";
import { runChild } from "./child/child.ts";
import { tracing } from "./child/tracing.ts";
import { handOverByPassing, handOverByRelay } from "./login/hand-over.ts";
import { LoginService } from "./login/login-service.ts";
import { MailboxLinks } from "./login/mailbox-links.ts";

runChild("login", async (settings, { log, send }) => {
  let limits = settings;
  const relay = handOverByRelay(settings.runtimeDir, () => limits);
  const canPass = knowsDescriptors();
  if (!canPass)
    log.warn({ cause: process.version }, "this Node tells no descriptors, all clients are relayed");
  const service = new LoginService(settings, {
    handOver: canPass ? handOverByPassing(new MailboxLinks(settings.runtimeDir, log), relay) : relay,
    // The client's, and the one to the mailbox process where it is relayed.
    descriptorsPerSession: 2,
    tellCounts: (counts) => send({ kind: "sessions-here", counts }),
    log,
  });
  await service.ready;
  return {
    accept: (socket, index) => service.accept(socket, index),
    answers: [tracing.answers, service.answers],
    heardCounts: (counts) => service.heardCounts(counts),
    keepTo: (parts) => service.keepTo(parts),
    configure: (changed) => {
      limits = changed;
      service.configure(changed);
    },
    whenIdle: () => service.whenIdle(),
    drain: () => service.drain(),
  };
});
