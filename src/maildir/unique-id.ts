// A message's unique-id (RFC 1939 §7): the base name of its file where that fits, else a digest of it. Pure; used by the
// Maildir engine in the mailbox process.
import { createHash } from "node:crypto";

/**
 * 1 to 70 characters of 0x21–0x7E; the same for the same base name for ever, different for different ones.
 *
 * @param baseName a byte string (latin1)
 */
export function uniqueIdOf(baseName: string): string {
  return isUniqueId(baseName) && !isDigest(baseName) ? baseName : digestOf(baseName);
}

/** RFC 1939 §7: "one to 70 characters in the range 0x21 to 0x7E". */
export function isUniqueId(text: string): boolean {
  if (text.length === 0 || text.length > 70) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}

/** For a base name that cannot be its own unique-id, or must not be because another message has it. */
export function digestOf(baseName: string): string {
  return DIGEST_PREFIX + createHash("sha256").update(baseName, "latin1").digest("base64url");
}

const DIGEST_PREFIX = "sha256-";
const DIGEST_LENGTH = DIGEST_PREFIX.length + 43;

/** A file that is named like a digest gets one of its own, else it could claim another message's unique-id. */
function isDigest(baseName: string): boolean {
  return baseName.length === DIGEST_LENGTH && baseName.startsWith(DIGEST_PREFIX);
}
