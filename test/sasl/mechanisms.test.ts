import { describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { mechanisms } from "../../src/sasl/mechanisms.ts";

const names = [...mechanisms.keys()];

describe("mechanisms", () => {
  it("are offered in this order", () => {
    expect(names).toEqual([
      "PLAIN",
      "LOGIN",
      "SCRAM-SHA-256",
      "SCRAM-SHA-1",
      "SCRAM-SHA-256-PLUS",
      "SCRAM-SHA-1-PLUS",
      "EXTERNAL",
    ]);
  });

  it("can each be named in the config, and no other", () => {
    const parse = (mechanism: string) => configSchema.shape.auth.safeParse({ mechanisms: [mechanism] });
    for (const name of names) expect(parse(name).success, name).toBe(true);
    expect(parse("CRAM-MD5").success).toBe(false);
  });

  it("knows no names by inheritance", () => {
    expect(mechanisms.get("constructor")).toBeUndefined();
    expect(mechanisms.get("__proto__")).toBeUndefined();
  });

  // Postfix offers a mechanism without this flag in spite of smtpd_sasl_security_options = noplaintext.
  it.each(["PLAIN", "LOGIN"])("%s, which ends in a password, is flagged plaintext", (name) => {
    expect(mechanisms.get(name)?.parameters).toEqual(["plaintext"]);
  });

  it.each(names.filter((name) => name.startsWith("SCRAM")))("%s has SCRAM's flags", (name) => {
    expect(mechanisms.get(name)?.parameters).toEqual(
      name.endsWith("-PLUS") ? ["mutual-auth", "channel-binding"] : ["mutual-auth"],
    );
  });
});
