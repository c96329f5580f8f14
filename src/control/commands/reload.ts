// `pop3-ctl reload`: the server reads its config again.
import type { ServerLink } from "../link/server-link.ts";
import type { Printer } from "../terminal/printer.ts";
import { Refusal } from "../terminal/refusal.ts";

export async function reload(server: ServerLink, printer: Printer): Promise<void> {
  const [answered] = await server.ask({ kind: "reload" });
  if (answered === undefined) throw new Refusal("the server did not say whether it reloaded, see its log");
  const { faults, later, kept } = answered.answer;
  if (faults.length > 0) throw new Refusal(`${faults.join("\n")}\nthe config is faulty, the old one stays`);
  printer.result(answered.answer, [
    kept.length === 0 ? "reloaded" : "reloaded, but not TLS",
    ...later.map((key) => `${key} has changed and takes effect at the next start`),
  ]);
  // Told last, and by the exit status: who calls this after a renewal wants to know that the new certificate is served.
  if (kept.length > 0) throw new Refusal(`${kept.join("\n")}\nwhat was read before is served in its place`);
}
