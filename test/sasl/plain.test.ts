import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Step } from "../../src/sasl/mechanism.ts";
import { plain } from "../../src/sasl/plain.ts";
import { contextOf } from "./context.ts";

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const start = (text: string): Step => plain.create(contextOf()).start(octets(text));

describe("PLAIN", () => {
  it("takes the initial response", () => {
    expect(start("\0mrose\0secret")).toEqual({
      kind: "password",
      authorizationIdentity: "",
      authenticationIdentity: "mrose",
      password: octets("secret"),
    });
  });

  it("asks with an empty challenge when there was no initial response", () => {
    const exchange = plain.create(contextOf());
    expect(exchange.start(undefined)).toEqual({ kind: "challenge", data: new Uint8Array(0) });
    expect(exchange.next(octets("\0mrose\0secret"))).toMatchObject({
      kind: "password",
      authenticationIdentity: "mrose",
    });
  });

  it("takes RFC 4616's example with an authorization identity", () => {
    expect(start("Ursel\0Kurt\0xipj3plmq")).toMatchObject({
      kind: "password",
      authorizationIdentity: "Ursel",
      authenticationIdentity: "Kurt",
      password: octets("xipj3plmq"),
    });
  });

  it("keeps the spaces and the octets of a password as they are", () => {
    expect(start("\0mrose\0  p\xe4ss w\xf6rd ")).toMatchObject({ password: octets("  p\xe4ss w\xf6rd ") });
  });

  it("keeps names as they are, in UTF-8", () => {
    expect(start("\0J\xc3\xbcrgen Rose@example.org\0x")).toMatchObject({
      authenticationIdentity: "Jürgen Rose@example.org",
    });
    expect(start("\0\xef\xbb\xbfmrose\0x")).toMatchObject({ authenticationIdentity: "\ufeffmrose" });
  });

  it.each([
    ["no NUL", "mrose secret"],
    ["one NUL", "mrose\0secret"],
    ["three NULs", "\0mrose\0secret\0"],
    ["a NUL within the password", "\0mrose\0sec\0ret"],
    ["an empty message", ""],
    ["an empty authentication identity", "\0\0secret"],
    ["an empty authentication identity beside an authorization identity", "mrose\0\0secret"],
    ["an empty password", "\0mrose\0"],
    ["a name that is not UTF-8", "\0J\xfcrgen\0secret"],
    ["an authorization identity that is not UTF-8", "\xff\0mrose\0secret"],
    ["an overlong encoding", "\0\xc1\xadrose\0secret"],
    ["a name of 256 octets", `\0${"m".repeat(256)}\0secret`],
  ])("refuses %s as malformed, and repeats nothing of it", (_, message) => {
    const step = start(message);
    expect(step.kind).toBe("malformed");
    expect(JSON.stringify(step)).not.toMatch(/mrose|secret/);
  });

  it("takes names of 255 octets", () => {
    const name = "m".repeat(255);
    expect(start(`${name}\0${name}\0secret`)).toMatchObject({
      authorizationIdentity: name,
      authenticationIdentity: name,
    });
  });

  it("hands over a view of the message, so that no second copy of the password is left", () => {
    const message = octets("\0mrose\0secret");
    const step = plain.create(contextOf()).start(message);
    if (step.kind !== "password") throw new Error(step.kind);
    step.password.fill(0);
    expect(message).toEqual(octets("\0mrose\0\0\0\0\0\0\0"));
  });

  it("returns every name and password that RFC 4616 allows", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter((text) => !text.includes("\0") && Buffer.byteLength(text) <= 255);
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(""), name),
        name,
        fc.uint8Array({ minLength: 1 }).filter((password) => !password.includes(0)),
        (authorizationIdentity, authenticationIdentity, password) => {
          const message = Buffer.concat([
            Buffer.from(`${authorizationIdentity}\0${authenticationIdentity}\0`),
            password,
          ]);
          const step = plain.create(contextOf()).start(message);
          expect(step).toMatchObject({ kind: "password", authorizationIdentity, authenticationIdentity });
          expect(step.kind === "password" && Buffer.compare(step.password, password)).toBe(0);
        },
      ),
    );
  });

  it("ends on any octets without a fault", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (message) => {
        expect(["password", "malformed"]).toContain(plain.create(contextOf()).start(message).kind);
      }),
    );
  });

  it("is announced as a plaintext mechanism", () => {
    expect(plain.parameters).toEqual(["plaintext"]);
  });
});
