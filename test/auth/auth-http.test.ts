import { describe, expect, it } from "vitest";
import { parseAuthHttp } from "../../src/auth/auth-http.ts";

const sent = {
  Host: "localhost",
  "Auth-Method": "plain",
  "Auth-User": "mrose",
  "Auth-Pass": "secret",
  "Auth-Protocol": "pop3",
  "Auth-Login-Attempt": "1",
  "Client-IP": "192.0.2.7",
};
const parse = (changes: Record<string, string> = {}) =>
  parseAuthHttp(Object.entries({ ...sent, ...changes }).flat());

describe("parseAuthHttp", () => {
  it("reads what nginx sends for USER and PASS", () => {
    expect(parse()).toEqual({
      kind: "request",
      request: {
        user: "mrose",
        password: new TextEncoder().encode("secret"),
        clientAddress: "192.0.2.7",
        secured: false,
        tls: undefined,
        attempt: 1,
      },
    });
  });

  it("undoes nginx's escapes, and takes all other octets as they are", () => {
    const password = parse({ "Auth-Pass": "a%20b%25%0d+&\xe4" });
    expect(password).toMatchObject({
      request: { password: Uint8Array.from(Buffer.from("a b%\r+&\xe4", "latin1")) },
    });
    const name = parse({ "Auth-User": Buffer.from("grüße").toString("latin1") });
    expect(name).toMatchObject({ request: { user: "grüße" } });
  });

  it("tells TLS, and a client without an address", () => {
    expect(
      parse({
        "Auth-SSL": "on",
        "Auth-SSL-Protocol": "TLSv1.3",
        "Auth-SSL-Cipher": "TLS_AES_256_GCM_SHA384",
      }),
    ).toMatchObject({ request: { secured: true, tls: "TLSv1.3 TLS_AES_256_GCM_SHA384" } });
    expect(parse({ "Auth-SSL": "off" })).toMatchObject({ request: { secured: false } });
    expect(parse({ "Client-IP": "unix:" })).toMatchObject({ request: { clientAddress: undefined } });
  });

  it.each(["", "%00", "a%0ab", "\xff", "a%2", "a%zz", "x".repeat(256)])(
    "a name such as %j is the client's fault",
    (name) => {
      expect(parse({ "Auth-User": name })).toEqual({ kind: "malformed-login" });
    },
  );

  it.each(["", "a%00b", "%"])("a password such as %j is the client's fault", (password) => {
    expect(parse({ "Auth-Pass": password })).toEqual({ kind: "malformed-login" });
  });

  it.each(["apop", "cram-md5", "external", "none"])("%s cannot be served", (method) => {
    expect(parse({ "Auth-Method": method })).toEqual({ kind: "unsupported", method });
  });

  it.each([
    { "Client-IP": "mail.example.org" },
    { "Auth-Protocol": "imap" },
    { "Auth-Login-Attempt": "-1" },
    { "Auth-Method": "" },
  ])("%j does not come from nginx's POP3", (changes: Record<string, string>) => {
    expect(parse(changes)).toMatchObject({ kind: "malformed" });
  });

  it("does not choose between two headers of one name", () => {
    expect(parseAuthHttp([...Object.entries(sent).flat(), "auth-user", "root"])).toEqual({
      kind: "malformed",
      reason: "header auth-user twice",
    });
    expect(parseAuthHttp([])).toMatchObject({ kind: "malformed" });
  });
});
