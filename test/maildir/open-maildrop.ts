// Opens a scratch Maildir's maildrop for the time of a test, and keeps what it tells of itself.
import { onTestFinished } from "vitest";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../src/maildir/maildrop-event.ts";
import type { MaildropOptions } from "../../src/maildir/maildrop-options.ts";
import type { ScratchMaildir } from "./scratch-maildir.ts";

/** @throws Error where it is locked or cannot be opened */
export async function openMaildrop(
  maildir: ScratchMaildir,
  options: MaildropOptions = {},
): Promise<{ readonly maildrop: Maildrop; readonly events: readonly MaildropEvent[] }> {
  const events: MaildropEvent[] = [];
  const result = await Maildrop.open(maildir.path, { onEvent: (event) => events.push(event), ...options });
  if (result.kind !== "open") throw new Error(`not open: ${JSON.stringify(result)}`);
  const { maildrop } = result;
  onTestFinished(() => maildrop.close());
  return { maildrop, events };
}
