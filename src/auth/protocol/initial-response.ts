// The initial response within an AUTH command, which Postfix and Exim write each in its own way. Pure.
import { decodeBase64 } from "../../sasl/base64.ts";

export type InitialResponse =
  | { readonly kind: "none" }
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  | { readonly kind: "invalid-base64" };

/** @param response the value of `resp=`, undefined when it was absent */
export function decodeInitialResponse(response: string | undefined, clientMinor: number): InitialResponse {
  // Exim, which speaks minor version 0, sends an empty `resp=` when its client gave no initial response.
  if (response === undefined || (response === "" && clientMinor < 2)) return { kind: "none" };
  // "=" is how SMTP writes an empty one; Postfix hands it on as it came.
  const octets = decodeBase64(response === "=" ? "" : response);
  return octets === undefined ? { kind: "invalid-base64" } : { kind: "octets", octets };
}
