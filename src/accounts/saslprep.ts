// SASLprep (RFC 4013), as SCRAM wants it for names and passwords. The one file that imports the library; used by the
// auth process and by pop3-passwd. Everything else compares octets.
import library from "@mongodb-js/saslprep";

/**
 * @param text as a "query": code points that Unicode 3.2 had not assigned pass, or nobody could have an emoji in a password
 * @returns undefined for a text that SASLprep forbids: control characters, mixed directions …
 */
export function saslprep(text: string): string | undefined {
  try {
    return library(text, { allowUnassigned: true });
  } catch {
    return undefined;
  }
}
