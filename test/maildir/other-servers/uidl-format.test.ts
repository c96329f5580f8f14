import { describe, expect, it } from "vitest";
import { DEFAULT_UIDL_FORMAT, parseUidlFormat } from "../../../src/maildir/other-servers/uidl-format.ts";

const fields = {
  uid: 25017,
  uidValidity: 1275660208,
  baseName: "1276533073.M242911P3632.kurkku,S=2433",
  guid: undefined,
};

function made(format: string, guid?: string): string {
  const parsed = parseUidlFormat(format);
  return parsed.kind === "format" ? parsed.make({ ...fields, guid }) : parsed.reason;
}

describe("parseUidlFormat", () => {
  it.each([
    [DEFAULT_UIDL_FORMAT, "000061b94c0907b0"],
    ["%{uid|hex(8)}%{uidvalidity|hex(8)}", "000061b94c0907b0"],
    ["%{uid | hex(8)}%{uidvalidity | hex(8)}", "000061b94c0907b0"],
    ["%08Xv%08Xu", "4c0907b0000061b9"],
    ["%v.%u", "1275660208.25017"],
    ["%v-%u", "1275660208-25017"],
    ["UID%u-%v", "UID25017-1275660208"],
    ["%u", "25017"],
    ["%Xu", "61b9"],
    ["%010u", "0000025017"],
    ["%f", fields.baseName],
    ["%{filename}", fields.baseName],
    ["%Uf", fields.baseName.toUpperCase()],
    ["%Mf", "fe3e49469841b0d90fc4f805b7c1b86f"],
    ["100%%%u", "100%25017"],
  ])("%s", (format, uniqueId) => {
    expect(made(format)).toBe(uniqueId);
  });

  it("takes the file name where a message has no GUID of its own", () => {
    expect(made("%g")).toBe(fields.baseName);
    expect(made("%g", "3085f01b")).toBe("3085f01b");
  });

  it.each(["%m", "%q", "%Zu", "%{uid|rot13}", "%", "%u%", "%{uid", "plain"])("says why not: %s", (format) => {
    expect(parseUidlFormat(format)).toEqual({ kind: "unsupported", reason: expect.stringContaining(format) });
  });
});
