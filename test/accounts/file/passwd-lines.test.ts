import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  joinLines,
  splitLines,
  userOfLine,
  withExtraFields,
  withField,
  withLines,
  withPasswordField,
} from "../../../src/accounts/file/passwd-lines.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const text = (content: Uint8Array): string => Buffer.from(content).toString("latin1");
const line = (content: string) => splitLines(bytes(content))[0]!;

describe("splitLines", () => {
  it("tells LF, CRLF and a missing end apart", () => {
    expect(splitLines(bytes("a\nb\r\n\n\r\nc")).map(({ bytes, end }) => [text(bytes), end])).toEqual([
      ["a", "\n"],
      ["b", "\r\n"],
      ["", "\n"],
      ["", "\r\n"],
      ["c", ""],
    ]);
    expect(splitLines(bytes(""))).toEqual([]);
  });

  it("loses no byte", () => {
    const content = fc
      .array(fc.constantFrom(0x0a, 0x0d, 0x3a, 0x23, 0x61, 0xff))
      .map((octets) => Buffer.from(octets));
    fc.assert(
      fc.property(content, (content) => {
        expect(text(joinLines(splitLines(content)))).toBe(text(content));
      }),
    );
  });
});

describe("userOfLine", () => {
  it.each([
    ["mrose:x", "mrose"],
    ["mrose", "mrose"],
    ["a b:x:0", "a b"],
    ["# mrose:x", undefined],
    [":x", undefined],
    ["m\xfc:x", undefined],
  ])("%j", (content, user) => {
    expect(userOfLine(line(content))).toBe(user);
  });
});

describe("withPasswordField", () => {
  it.each([
    ["mrose:old:1:1:M\xfcller:/home/m\r\n", "mrose:new:1:1:M\xfcller:/home/m\r\n"],
    ["mrose:old", "mrose:new"],
    ["mrose::", "mrose:new:"],
    ["mrose\n", "mrose:new\n"],
  ])("%j", (before, after) => {
    expect(text(joinLines([withPasswordField(line(before), "new")]))).toBe(after);
  });
});

describe("withLines", () => {
  it.each([
    ["", "a\nb\n"],
    ["x\n", "x\na\nb\n"],
    ["x", "x\na\nb\n"],
    ["x\r\ny\r\n", "x\r\ny\r\na\r\nb\r\n"],
    ["x\r\ny", "x\r\ny\r\na\r\nb\r\n"],
  ])("ends lines as %j does", (before, after) => {
    expect(text(joinLines(withLines(splitLines(bytes(before)), ["a", "b"])))).toBe(after);
  });

  it("leaves a file without final newline alone when nothing is added", () => {
    expect(text(joinLines(withLines(splitLines(bytes("x")), [])))).toBe("x");
  });
});

describe("withField", () => {
  it.each([
    ["mrose:x:1:2:M\xfcller\r\n", "mrose:x:1:2:M\xfcller:/new\r\n"],
    ["mrose", "mrose:::::/new"],
    ["mrose:x:1:2::/old:/bin/sh:a=b:c", "mrose:x:1:2::/new:/bin/sh:a=b:c"],
  ])("%j", (before, after) => {
    expect(text(joinLines([withField(line(before), 5, "/new")]))).toBe(after);
  });
});

describe("withExtraFields", () => {
  const changes = new Map<string, string | true | undefined>([
    ["a", "1"],
    ["gone", undefined],
    ["nologin", true],
  ]);
  it.each([
    ["mrose", "mrose:::::::a=1 nologin"],
    ["mrose:x:1\r\n", "mrose:x:1:::::a=1 nologin\r\n"],
    ["mrose:x::::::b=2:3  \xfc gone=x a=0 gone", "mrose:x::::::b=2:3 \xfc a=1 nologin"],
    ["mrose:x::::::again=1 a", "mrose:x::::::again=1 a=1 nologin"],
    // Dovecot's oldest form, a mail location in field 9.
    ["mrose:x:1:2::/home/m:::maildir:/srv/m", "mrose:x:1:2::/home/m::userdb_mail=maildir:/srv/m a=1 nologin"],
  ])("%j", (before, after) => {
    expect(text(joinLines([withExtraFields(line(before), changes)]))).toBe(after);
  });

  it("leaves the line as it is when nothing changes", () => {
    const before = "mrose:x::::::b=2   c";
    expect(text(joinLines([withExtraFields(line(before), new Map([["gone", undefined]]))]))).toBe(before);
  });
});
