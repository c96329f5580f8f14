// Status indicators and response codes (RFC 1939 §3, RFC 2449 §8, RFC 3206, RFC 5034, RFC 6856 §5). A reply is a byte string with
// its CRLF; 512 octets at most (RFC 2449 §4), which our own short texts never reach.

export type ResponseCode = "AUTH" | "IN-USE" | "SYS/TEMP" | "SYS/PERM" | "UTF8";

export function ok(text = ""): string {
  return text === "" ? "+OK\r\n" : `+OK ${text}\r\n`;
}

/** @param text short and safe for the wire; the cause belongs in the log */
export function err(text: string, code?: ResponseCode): string {
  return code === undefined ? `-ERR ${text}\r\n` : `-ERR [${code}] ${text}\r\n`;
}

/** RFC 5034 §4: a challenge is "+ " and base64; the space stays when the challenge is empty. */
export function challenge(base64: string): string {
  return `+ ${base64}\r\n`;
}

export const TERMINATION = ".\r\n";
