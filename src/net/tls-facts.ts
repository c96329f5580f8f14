// What a secured connection tells about itself: for the log, and for the mechanisms that rely on it. Runs in login
// processes.
import type * as tls from "node:tls";
import type { ChannelBinding } from "../auth/protocol/client-command.ts";

/** Which part of a client's certificate is its user name. */
export type CertificateUserField = "email" | "cn";

export interface TlsFacts {
  /** Version and cipher suite: "TLSv1.3 TLS_AES_256_GCM_SHA384". */
  readonly tls: string;
  readonly channelBinding: ChannelBinding | undefined;
  /** Who the client is by a certificate of an authority that we trust. */
  readonly clientCertificateUser: string | undefined;
  /** Why the certificate that the client has shown counts for nothing, in OpenSSL's words such as CERT_REVOKED. */
  readonly clientCertificateFault?: string | undefined;
}

export function tlsFacts(socket: tls.TLSSocket, userField: CertificateUserField): TlsFacts {
  const version = socket.getProtocol();
  const fault = certificateFault(socket);
  return {
    tls: `${version} ${socket.getCipher().standardName}`,
    channelBinding: version === "TLSv1.3" ? exporterBinding(socket) : undefined,
    clientCertificateUser:
      socket.authorized && fault === undefined
        ? certificateUser(socket.getPeerCertificate(), userField)
        : undefined,
    clientCertificateFault: fault,
  };
}

function certificateFault(socket: tls.TLSSocket): string | undefined {
  const shown = socket.getPeerCertificate();
  if (Object.keys(shown).length === 0) return undefined;
  // Typed as an Error, and a string in fact.
  if (!socket.authorized) return String(socket.authorizationError);
  // A resumed session tells what was found when it was begun; in TLS 1.3 each ticket is followed by another, without an end.
  return Date.now() < Date.parse(shown.valid_to) ? undefined : "CERT_HAS_EXPIRED";
}

// RFC 9266 §2; before TLS 1.3 it is unique only with an extended master secret, which Node does not tell.
function exporterBinding(socket: tls.TLSSocket): ChannelBinding {
  const data = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
  return { type: "tls-exporter", data: data.toString("base64") };
}

/** Undefined where the certificate has no such field, or more than one: whom it means must not be guessed. */
export function certificateUser(
  certificate: Pick<tls.PeerCertificate, "subject" | "subjectaltname">,
  field: CertificateUserField,
): string | undefined {
  const values =
    field === "cn"
      ? [certificate.subject?.CN as string | readonly string[] | undefined].flat()
      : // Node puts a value with anything unusual in it into quotes; such a one is no address of ours.
        [...(certificate.subjectaltname ?? "").matchAll(/(?:^|, )email:([^",\s]+)(?=, |$)/g)].map(
          ([, value]) => value,
        );
  const [value] = values;
  return values.length === 1 && value !== undefined && value !== "" ? value : undefined;
}
