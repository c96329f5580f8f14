import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { login } from "../../src/sasl/login.ts";
import { contextOf } from "./context.ts";

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const ASK_NAME = { kind: "challenge", data: octets("Username:") };
const ASK_PASSWORD = { kind: "challenge", data: octets("Password:") };
const MROSE = {
  kind: "password",
  authorizationIdentity: "",
  authenticationIdentity: "mrose",
  password: octets("secret"),
};

describe("LOGIN", () => {
  it("asks for the name, then for the password", () => {
    const exchange = login.create(contextOf());
    expect(exchange.start(undefined)).toEqual(ASK_NAME);
    expect(exchange.next(octets("mrose"))).toEqual(ASK_PASSWORD);
    expect(exchange.next(octets("secret"))).toEqual(MROSE);
  });

  it("takes an initial response for the name", () => {
    const exchange = login.create(contextOf());
    expect(exchange.start(octets("mrose"))).toEqual(ASK_PASSWORD);
    expect(exchange.next(octets("secret"))).toEqual(MROSE);
  });

  it("keeps two exchanges apart", () => {
    const first = login.create(contextOf());
    const second = login.create(contextOf());
    first.start(octets("mrose"));
    second.start(octets("jbloggs"));
    expect(first.next(octets("secret"))).toEqual(MROSE);
    expect(second.next(octets("other"))).toMatchObject({ authenticationIdentity: "jbloggs" });
  });

  it("keeps the spaces and the octets of a password as they are", () => {
    const exchange = login.create(contextOf());
    exchange.start(octets("mrose"));
    expect(exchange.next(octets(" p\xe4ss "))).toMatchObject({ password: octets(" p\xe4ss ") });
  });

  it.each([
    ["an empty name", ""],
    ["a name that is not UTF-8", "J\xfcrgen"],
    ["a NUL in the name", "mrose\0"],
    ["a name of 256 octets", "m".repeat(256)],
  ])("refuses %s as malformed, asked for or not", (_, name) => {
    expect(login.create(contextOf()).start(octets(name)).kind).toBe("malformed");
    const exchange = login.create(contextOf());
    exchange.start(undefined);
    expect(exchange.next(octets(name)).kind).toBe("malformed");
  });

  it.each([
    ["an empty password", ""],
    ["a NUL in the password", "sec\0ret"],
  ])("refuses %s as malformed", (_, password) => {
    const exchange = login.create(contextOf());
    exchange.start(octets("mrose"));
    expect(exchange.next(octets(password)).kind).toBe("malformed");
  });

  it("ends on any octets without a fault", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        fc.uint8Array({ maxLength: 20 }),
        (name, passwordOctets) => {
          const exchange = login.create(contextOf());
          const step = exchange.start(name);
          expect(["challenge", "malformed"]).toContain(step.kind);
          if (step.kind === "challenge") {
            expect(["password", "malformed"]).toContain(exchange.next(passwordOctets).kind);
          }
        },
      ),
    );
  });

  it("is announced as a plaintext mechanism", () => {
    expect(login.parameters).toEqual(["plaintext"]);
  });
});
