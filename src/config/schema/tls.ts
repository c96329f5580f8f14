// [tls]: certificates, and what clients' certificates are good for.
import { createSecureContext } from "node:tls";
import { z } from "zod";
import { absolutePath, duration, onePathOrMore } from "./values.ts";

export const tls = z
  .strictObject({
    certificate: onePathOrMore.meta({
      description:
        "PEM files: the server's certificate, then those that lead to its authority (certbot's fullchain.pem). Several as a " +
        "list, with their keys in the same order: clients get the one for the name that they ask for, in RSA or ECDSA, " +
        "whichever they know; the first one serves all others. Renewed files are taken as they appear.",
      reason: "Without the section there is neither POP3S nor STLS.",
      defaultText: "none; it has to be there",
      example: '"/etc/letsencrypt/live/mail.example.org/fullchain.pem"',
    }),
    private_key: onePathOrMore.meta({
      description: "PEM files: a private key for each certificate, in the same order.",
      reason: "Master reads them, as root; the processes that talk TLS get them from it.",
      defaultText: "none; it has to be there",
      example: '"/etc/letsencrypt/live/mail.example.org/privkey.pem"',
    }),
    min_version: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2").meta({
      description: "The oldest TLS that is spoken.",
      reason: "RFC 8314 and RFC 8996: nothing before TLS 1.2.",
    }),
    ciphers: z
      .string()
      .refine((ciphers) => cipherFault(ciphers) === undefined, "OpenSSL knows no such list of ciphers")
      .meta({ form: "list of ciphers in OpenSSL's notation" })
      .optional()
      .meta({
        description: "Ciphers for TLS 1.2, in OpenSSL's notation.",
        reason: "Node.js keeps its list up to date; yours would grow old.",
        defaultText: "what Node.js takes of its OpenSSL",
        example: '"HIGH:!aNULL"',
      }),
    ticket_lifetime: duration("2h").meta({
      description:
        "For how long a client may resume its session without a full handshake; the keys for that change as often.",
      reason: "Long enough for clients that poll, short enough for forward secrecy to mean something.",
    }),
    client_ca: z
      .union([absolutePath.transform((path) => [path]), z.array(absolutePath)])
      .meta({ form: "absolute path, or a list of them" })
      .prefault([])
      .meta({
        description: "Authorities (PEM files) whose certificates let clients log in with AUTH EXTERNAL.",
        reason: "Without one clients are asked for no certificate.",
      }),
    client_crl: z
      .union([absolutePath.transform((path) => [path]), z.array(absolutePath)])
      .meta({ form: "absolute path, or a list of them" })
      .prefault([])
      .meta({
        description:
          "Revocation lists (PEM files) of those authorities, read anew as they change: one for each authority in client_ca and for " +
          "each between it and the client's certificate. Fetching them is for a timer of yours.",
        reason:
          "Without one a certificate counts until it expires. With one that has expired, or is missing, none of its authority does.",
      }),
    client_certificate_user: z
      .enum(["email", "cn"])
      .default("email")
      .meta({
        description:
          'Which part of a client\'s certificate is its user name: "email" (the address among its names) or "cn" (its common ' +
          "name).",
        reason: "An authority checks an address; a common name may be anything.",
      }),
  })
  .refine((tls) => tls.client_crl.length === 0 || tls.client_ca.length > 0, {
    path: ["client_crl"],
    message: "needs tls.client_ca: without it clients are asked for no certificate",
  })
  .optional()
  .meta({ description: "Certificates. Without this section there is neither POP3S nor STLS." });

/** What OpenSSL says against a list of ciphers; undefined when it takes it. */
function cipherFault(ciphers: string): string | undefined {
  try {
    createSecureContext({ ciphers });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
