// The one guard for every message argument (RFC 1939 §5): digits only, from 1, existing, not marked as deleted.
import { err } from "./reply.ts";
import type { Texts } from "./texts/texts.ts";

export type MessageArgument =
  | { readonly kind: "message"; readonly index: number }
  | { readonly kind: "malformed" }
  | { readonly kind: "refused"; readonly reply: string };

/**
 * @param argument as the client sent it
 * @param count messages in the maildrop, the deleted ones included: numbers are stable within a session
 */
export function messageArgument(
  argument: string,
  count: number,
  isDeleted: (index: number) => boolean,
  texts: Texts,
): MessageArgument {
  // Ten digits hold every count; "0x1", "1e0", "+1" and "1.5" are not numbers here.
  if (!/^[0-9]{1,10}$/.test(argument)) return { kind: "malformed" };
  const messageNumber = Number.parseInt(argument, 10);
  if (messageNumber < 1 || messageNumber > count) {
    return { kind: "refused", reply: err(texts.noSuchMessage(count)) };
  }
  const index = messageNumber - 1;
  if (isDeleted(index)) return { kind: "refused", reply: err(texts.alreadyDeleted(messageNumber)) };
  return { kind: "message", index };
}
