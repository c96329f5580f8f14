// Begins a message's surrogate. Used by maildir to count, and by the mailbox process to send.
import { Downgrade } from "./downgrade.ts";
import type { Surrogate, SurrogateKind } from "./surrogate.ts";
import { Wrapping } from "./wrapping.ts";

export function makeSurrogate(kind: SurrogateKind): Surrogate {
  return kind === "downgraded" ? new Downgrade() : new Wrapping();
}
