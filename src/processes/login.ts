// A login process, run as `dewey-login`: accepts clients, AUTHORIZATION state, then relays octets to and from the
// mailbox process. Its sockets are the listening ones.
import { runChild } from "./child.ts";
import { handOverByRelay } from "./hand-over.ts";
import { LoginService } from "./login-service.ts";
import { tracing } from "./tracing.ts";

runChild("login", async (settings, { log, send }) => {
  let limits = settings;
  const service = new LoginService(settings, {
    handOver: handOverByRelay(settings.runtimeDir, () => limits),
    // The client's, and the one to the mailbox process.
    descriptorsPerSession: 2,
    tellCounts: (counts) => send({ kind: "sessions-here", counts }),
    log,
  });
  await service.ready;
  return {
    accept: (socket, index) => service.accept(socket, index),
    answers: [tracing.answers, service.answers],
    heardCounts: (counts) => service.heardCounts(counts),
    configure: (changed) => {
      limits = changed;
      service.configure(changed);
    },
    whenIdle: () => service.whenIdle(),
    drain: () => service.drain(),
  };
});
