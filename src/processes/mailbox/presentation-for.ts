// What a client is sent of messages that not every client can take, by the config's words and the client's choices. For the
// mailbox process, and for the library's sessions. Pure.
import { surrogateKindOf, type Utf8Headers } from "../../config/mail-policy.ts";
import type { Presentation } from "../../maildir/presentation.ts";
import type { Workaround } from "../../mime/workarounds.ts";
import type { Choices } from "../../pop3/choices.ts";

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
 * How long the headers of messages whose size another server has told are looked at. 100,000 in the page cache take less. On a slow
 * disk a client waits so long after moving in, which all bear (Outlook a minute), and RFC 6858 §4 permits the sizes that are
 * believed then; `pop3-ctl warm` looks at all of them before.
 */
export const TOLD_CHECK_MS = 20_000;
