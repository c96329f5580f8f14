import { describe, expect, it } from "vitest";
import { type ConnectionFacts, offeredMechanisms } from "../../src/processes/offered.ts";

const known = new Map([
  ["PLAIN", ["plaintext"]],
  ["LOGIN", ["plaintext"]],
  ["SCRAM-SHA-256", ["mutual-auth"]],
  ["SCRAM-SHA-256-PLUS", ["mutual-auth", "channel-binding"]],
  ["EXTERNAL", []],
]);
const offered = (facts: ConnectionFacts): string => offeredMechanisms(known, facts).join(" ");
const channelBinding = { type: "tls-exporter", data: `${"A".repeat(43)}=` } as const;

describe("offeredMechanisms", () => {
  it("leaves SCRAM alone where no password may cross the connection", () => {
    expect(offered({ passwordAllowed: false })).toBe("SCRAM-SHA-256");
  });

  it("offers -PLUS where there is a channel to bind to", () => {
    expect(offered({ passwordAllowed: true, channelBinding })).toBe(
      "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
    );
  });

  it("offers EXTERNAL to whom a certificate names", () => {
    expect(offered({ passwordAllowed: false, clientCertificateUser: "mrose" })).toBe(
      "SCRAM-SHA-256 EXTERNAL",
    );
  });

  it("offers nothing before auth has told anything", () => {
    expect(offeredMechanisms(new Map(), { passwordAllowed: true })).toEqual([]);
  });
});
