import { describe, expect, it } from "vitest";
import { mechanismsToOffer } from "../../../src/processes/auth/auth-mechanisms.ts";

const names = (...parameters: Parameters<typeof mechanismsToOffer>): string =>
  [...mechanismsToOffer(...parameters).keys()].join(" ");

describe("mechanismsToOffer", () => {
  it("leaves SCRAM out as long as no account can use it", () => {
    expect(names(undefined, new Set(), "login", true)).toBe("PLAIN LOGIN EXTERNAL");
    expect(names(undefined, new Set(), "mta", true)).toBe("PLAIN LOGIN");
  });

  it("offers SCRAM with the hashes that accounts have, to the MTA without what needs TLS in our hands", () => {
    expect(names(undefined, new Set(["SHA-256"]), "login", true)).toBe(
      "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS EXTERNAL",
    );
    expect(names(undefined, new Set(["SHA-256", "SHA-1"]), "mta", true)).toBe(
      "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1",
    );
  });

  it("takes no word for a certificate where no authority is trusted with them", () => {
    expect(names(undefined, new Set(), "login", false)).toBe("PLAIN LOGIN");
    expect(names(["EXTERNAL", "PLAIN"], new Set(), "login", false)).toBe("PLAIN");
  });

  it("offers exactly what the config names", () => {
    expect(names(["EXTERNAL", "SCRAM-SHA-1", "PLAIN"], new Set(), "login", true)).toBe(
      "PLAIN SCRAM-SHA-1 EXTERNAL",
    );
    expect(names(["EXTERNAL", "SCRAM-SHA-1"], new Set(), "mta", true)).toBe("SCRAM-SHA-1");
  });
});
