import { describe, expect, it } from "vitest";
import { external } from "../../src/sasl/external.ts";
import { contextOf } from "./context.ts";

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const exchange = (certificateUser: string | undefined = "mrose") =>
  external.create(contextOf({ certificateUser }));
const mrose = { kind: "certificate", authorizationIdentity: "", authenticationIdentity: "mrose" };

describe("EXTERNAL", () => {
  it("takes the name from the certificate, with an empty initial response", () => {
    expect(exchange().start(octets(""))).toEqual(mrose);
  });

  it("asks with an empty challenge when there was no initial response", () => {
    const asked = exchange();
    expect(asked.start(undefined)).toEqual({ kind: "challenge", data: new Uint8Array(0) });
    expect(asked.next(octets(""))).toEqual(mrose);
  });

  it("hands over the authorization identity", () => {
    expect(exchange().start(octets("jpostel"))).toEqual({ ...mrose, authorizationIdentity: "jpostel" });
  });

  it.each(["\xff", "mro\0se", "m".repeat(256)])("refuses %j as malformed", (name) => {
    expect(exchange().start(octets(name)).kind).toBe("malformed");
  });

  it("refuses a client without a certificate", () => {
    expect(external.create(contextOf()).start(octets("mrose")).kind).toBe("refused");
  });

  it("is announced without flags, as Dovecot does", () => {
    expect(external.parameters).toEqual([]);
  });
});
