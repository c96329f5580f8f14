import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CertificateRequest,
  type MadeCertificate,
  makeCertificate,
  makeRevocationList,
} from "../../scripts/certificate.mjs";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { chainFault, checkCertificates } from "../../src/doctor/check-certificates.ts";

const DAY_MS = 24 * 3_600_000;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function configOf(
  name: string,
  pair: Pick<MadeCertificate, "certificate" | "privateKey">,
  more = "",
): Config {
  const files = { certificate: join(folder, "fullchain.pem"), privateKey: join(folder, "privkey.pem") };
  writeFileSync(files.certificate, pair.certificate);
  writeFileSync(files.privateKey, pair.privateKey);
  const text = `server.name = "${name}"\n[tls]\ncertificate = "${files.certificate}"\nprivate_key = "${files.privateKey}"\n${more}`;
  const parsed = parseConfig(text, "config.toml");
  if (parsed.kind === "faulty") throw new Error(parsed.faults[0]?.message);
  return parsed.config;
}

const pop = (request: CertificateRequest = {}) =>
  makeCertificate({ names: [{ type: "dns", value: "pop.example.org" }], ...request });
const messages = (config: Config, nowMs = Date.now()) =>
  checkCertificates(config, nowMs).map(({ level, message }) => `${level}: ${message}`);

describe("checkCertificates", () => {
  it("counts the days that are left, and warns below 14", async () => {
    const authority = await makeCertificate({ subject: "CN=Our own", isAuthority: true });
    const pair = await pop({ issuer: authority, notAfter: new Date(Date.now() + 20.5 * DAY_MS) });
    const config = configOf("pop.example.org", {
      ...pair,
      certificate: `${pair.certificate}\n${authority.certificate}`,
    });
    const file = join(folder, "fullchain.pem");
    expect(messages(config)).toEqual([
      `ok: ${file} (pop.example.org) holds for 20 more days`,
      `warning: ${file} leads to an authority of your own`,
    ]);
    expect(messages(config, Date.now() + 10 * DAY_MS)[0]).toBe(`warning: ${file} holds for 10 more days`);
    expect(messages(config, Date.now() + 21 * DAY_MS)[0]).toMatch(/^error: .* expired at /);
  });

  it("names a certificate for another name than the server's", async () => {
    const config = configOf("mail.example.org", await pop());
    expect(messages(config)).toContainEqual(
      expect.stringContaining("is for pop.example.org, the server's name is mail.example.org"),
    );
  });

  it("names a key of another certificate", async () => {
    const [one, other] = [await pop(), await pop()];
    const config = configOf("pop.example.org", { ...one, privateKey: other.privateKey });
    expect(messages(config)).toEqual([
      expect.stringMatching(/^error: tls.private_key: .* does not belong to the certificate/),
    ]);
  });

  it("looks at the files that make clients' certificates count, and until when they hold", async () => {
    const issuer = await makeCertificate({
      subject: "CN=Clients",
      isAuthority: true,
      notAfter: new Date(Date.now() + 20.5 * DAY_MS),
    });
    const [ca, crl] = [join(folder, "clients.pem"), join(folder, "revoked.pem")];
    writeFileSync(ca, issuer.certificate);
    const nextUpdate = new Date(Date.now() + 36.5 * 3_600_000);
    writeFileSync(crl, await makeRevocationList({ issuer, nextUpdate }));
    const config = configOf("pop.example.org", await pop(), `client_ca = "${ca}"\nclient_crl = "${crl}"\n`);
    const own = (nowMs?: number) =>
      messages(config, nowMs).filter((line) => /clients.pem|revoked.pem/.test(line));
    expect(own()).toEqual([
      `ok: clients' authority ${ca} holds for 20 more days`,
      `ok: revocation list ${crl} holds for 36 more hours`,
    ]);
    expect(own(Date.now() + 1.25 * DAY_MS)[1]).toBe(
      `warning: revocation list ${crl} holds for 6 more hours: then no client's certificate counts`,
    );
    expect(own(Date.now() + 2 * DAY_MS)).toEqual([
      expect.stringMatching(/^error: tls\.client_crl: .*revoked\.pem /),
    ]);
    const next = await makeCertificate({
      subject: "CN=Clients 2",
      isAuthority: true,
      notAfter: new Date(Date.now() + 5.5 * DAY_MS),
    });
    writeFileSync(ca, issuer.certificate + next.certificate);
    // The one that ends first takes its clients with it.
    expect(own()[0]).toBe(`warning: clients' authority ${ca} holds for 5 more days`);
    // The second one is PEM text with nothing in it that could vouch for anybody.
    for (const text of ["no PEM text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]) {
      writeFileSync(ca, text);
      expect(own()).toEqual([
        expect.stringMatching(/^error: tls\.client_ca: .*clients\.pem holds no certificate/),
      ]);
    }
    rmSync(crl);
    expect(own()[1]).toMatch(/^error: tls\.client_crl: .*revoked\.pem cannot be read: no such file/);
  });

  it("notes that there is no TLS", () => {
    const parsed = parseConfig("", "config.toml");
    expect(parsed.kind === "config" && messages(parsed.config)).toEqual([
      expect.stringMatching(/^note: no \[tls\]/),
    ]);
  });
});

describe("a private key", () => {
  it("is named where every user of the host can read it, unless a folder on the way lets nobody through", async () => {
    const config = configOf("pop.example.org", await pop());
    const key = join(folder, "privkey.pem");
    const found = () => messages(config).filter((line) => line.includes("privkey"));
    chmodSync(folder, 0o755);
    chmodSync(key, 0o644);
    expect(found()).toEqual([`error: ${key} has mode 644: every user of this host can take the private key`]);
    chmodSync(key, 0o640);
    expect(found()).toEqual([]);
    chmodSync(key, 0o644);
    chmodSync(folder, 0o700);
    expect(found()).toEqual([]);
  });
});

describe("chainFault", () => {
  it("tells a self-signed certificate, a missing chain, and a chain in a wrong order", async () => {
    const authority = await makeCertificate({ subject: "CN=Our own", isAuthority: true });
    const between = await makeCertificate({ subject: "CN=Between", isAuthority: true, issuer: authority });
    const { certificate } = await pop({ issuer: between });
    expect(chainFault((await pop()).certificate)?.message).toContain("signed by itself");
    expect(chainFault(certificate)?.message).toContain('lacks the chain: the issuer "CN=Between"');
    expect(chainFault([certificate, authority.certificate].join("\n"))?.message).toContain(
      "certificate 2 of the chain",
    );
    expect(
      chainFault([certificate, between.certificate, authority.certificate].join("\n"))?.message,
    ).toContain("authority of your own");
    // An authority that is not sent, but that this host has been told to trust.
    const root = [new X509Certificate(authority.certificate)];
    expect(chainFault([certificate, between.certificate].join("\n"), root)?.message).toBe(
      "leads to an authority of your own",
    );
    expect(chainFault(certificate, root)?.message).toContain("lacks the chain");
  });
});
