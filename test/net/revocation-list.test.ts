import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate, makeRevocationList } from "../../scripts/certificate.mjs";
import { examineRevocationLists } from "../../src/net/revocation-list.ts";
import { atLeast } from "../support/fuzz.ts";

let issuer: MadeCertificate;
beforeAll(async () => {
  issuer = await makeCertificate({ subject: "CN=clients", isAuthority: true });
});
const second = (text: string): Date => new Date(`${text}Z`);

describe("examineRevocationLists", () => {
  it.each(["2031-02-03T04:05:06", "2049-12-31T23:59:59", "2050-01-01T00:00:00"])(
    "tells until when it holds: %s",
    async (date) => {
      const list = await makeRevocationList({ issuer, revoked: [issuer], nextUpdate: second(date) });
      expect(examineRevocationLists(list)).toMatchObject({
        kind: "sound",
        nextUpdateMs: second(date).getTime(),
      });
    },
  );

  it("takes several in one file, and tells the first that has to be renewed", async () => {
    const [one, two] = await Promise.all(
      ["2032-01-01T00:00:00", "2031-01-01T00:00:00"].map((date) =>
        makeRevocationList({ issuer, nextUpdate: second(date) }),
      ),
    );
    const examined = examineRevocationLists(`# of two authorities\n${one}${two}`);
    expect(examined).toEqual({
      kind: "sound",
      lists: [one!.trimEnd(), two!.trimEnd()],
      nextUpdateMs: second("2031-01-01T00:00:00").getTime(),
    });
  });

  it("says what a file is that is none", () => {
    expect(examineRevocationLists(issuer.certificate)).toMatchObject({
      kind: "faulty",
      reason: expect.stringMatching(/^holds no revocation list, expected PEM text/),
    });
  });

  it("refuses a damaged one, and never throws", async () => {
    const whole = await makeRevocationList({ issuer, revoked: [issuer] });
    const der = Buffer.from(whole.replace(/-----[^-]+-----/g, ""), "base64");
    fc.assert(
      fc.property(
        fc.nat(der.length - 1).map((length) => der.subarray(0, length)),
        (octets) => {
          const pem = `-----BEGIN X509 CRL-----\n${octets.toString("base64")}\n-----END X509 CRL-----\n`;
          expect(examineRevocationLists(pem).kind).toBe("faulty");
        },
      ),
      atLeast(100),
    );
  });
});
