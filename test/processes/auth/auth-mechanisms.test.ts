import { describe, expect, it } from "vitest";
import { mechanismsToOffer } from "../../../src/processes/auth/auth-mechanisms.ts";

const names = (...parameters: Parameters<typeof mechanismsToOffer>): string =>
  [...mechanismsToOffer(...parameters).keys()].join(" ");

describe("mechanismsToOffer", () => {
  it("leaves SCRAM out as long as no account can use it", () => {
    expect(names(undefined, new Set(), "login")).toBe("PLAIN LOGIN EXTERNAL");
    expect(names(undefined, new Set(), "mta")).toBe("PLAIN LOGIN");
  });

  it("offers SCRAM with the hashes that accounts have, to the MTA without what needs TLS in our hands", () => {
    expect(names(undefined, new Set(["SHA-256"]), "login")).toBe(
      "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS EXTERNAL",
    );
    expect(names(undefined, new Set(["SHA-256", "SHA-1"]), "mta")).toBe(
      "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1",
    );
  });

  it("offers exactly what the config names", () => {
    expect(names(["EXTERNAL", "SCRAM-SHA-1", "PLAIN"], new Set(), "login")).toBe(
      "PLAIN SCRAM-SHA-1 EXTERNAL",
    );
    expect(names(["EXTERNAL", "SCRAM-SHA-1"], new Set(), "mta")).toBe("SCRAM-SHA-1");
  });
});
