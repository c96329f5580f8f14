// Types of certificate.mjs, for tests.

export interface MadeCertificate {
  readonly keyType: "ec" | "rsa";
  /** PEM texts. */
  readonly certificate: string;
  readonly privateKey: string;
}

export interface CertificateRequest {
  /** "CN=localhost". */
  readonly subject?: string;
  readonly names?: readonly { readonly type: "dns" | "ip" | "email"; readonly value: string }[];
  readonly keyType?: "ec" | "rsa";
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly isAuthority?: boolean;
  /** Itself, where undefined. */
  readonly issuer?: MadeCertificate | undefined;
}

export function makeCertificate(request?: CertificateRequest): Promise<MadeCertificate>;

export interface RevocationListRequest {
  readonly issuer: MadeCertificate;
  readonly revoked?: readonly MadeCertificate[];
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date;
}

export function makeRevocationList(request: RevocationListRequest): Promise<string>;
