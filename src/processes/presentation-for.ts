// What a client is sent of messages that not every client can take, by the config's words and the client's choices. For the
// mailbox process, and for the library's sessions. Pure.
import { surrogateKindOf, type Utf8Headers } from "../config/mail-policy.ts";
import type { Presentation } from "../maildir/presentation.ts";
import type { Workaround } from "../mime/workarounds.ts";
import type { Choices } from "../pop3/choices.ts";

export function presentationFor(
  utf8Headers: Utf8Headers,
  workarounds: readonly Workaround[],
  { utf8 }: Pick<Choices, "utf8">,
): Presentation {
  return {
    surrogate: surrogateKindOf(utf8Headers),
    utf8Headers: utf8 ? "as-stored" : PRESENTED_AS[utf8Headers],
    workarounds,
  };
}

/** What `mail.utf8_headers` means for clients that have not said UTF8. */
const PRESENTED_AS = {
  downgrade: "surrogate",
  wrap: "surrogate",
  refuse: "refused",
  "as-stored": "as-stored",
} as const satisfies Record<Utf8Headers, Presentation["utf8Headers"]>;

/**
 * So many sizes that another server has told are counted all the same: as many reads as a login hardly notices; new messages
 * are fetched next anyhow. More are believed, or the first login after moving in would read the whole maildrop:
 * `pop3-ctl warm` can do that before.
 */
export const FEW_TOLD = 100;
