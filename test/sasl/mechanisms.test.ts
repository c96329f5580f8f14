import { describe, expect, it } from "vitest";
import { mechanisms } from "../../src/sasl/mechanisms.ts";

describe("mechanisms", () => {
  it("offers PLAIN, then LOGIN", () => {
    expect([...mechanisms.keys()]).toEqual(["PLAIN", "LOGIN"]);
  });

  it("knows no names by inheritance", () => {
    expect(mechanisms.get("constructor")).toBeUndefined();
    expect(mechanisms.get("__proto__")).toBeUndefined();
  });

  // Postfix offers a mechanism without this flag in spite of smtpd_sasl_security_options = noplaintext.
  it.each([...mechanisms])("%s, which ends in a password, is flagged plaintext", (_, mechanism) => {
    expect(mechanism.parameters).toContain("plaintext");
  });
});
