import { describe, expect, it } from "vitest";
import { formatLine } from "../../src/log/log.ts";
import { fieldText, textLine } from "../../src/log/text-line.ts";

const json = (fields: object, level = "info"): string =>
  `${JSON.stringify({ level, time: "2026-11-25T17:00:00.123Z", process: "auth", pid: 7, ...fields, msg: "login refused" })}\n`;

describe("the log as text", () => {
  it("says when, how bad, who, what happened, and the fields", () => {
    expect(textLine(json({ user: "mrose", address: "192.0.2.1", octets: 3 }), true)).toBe(
      "2026-11-25T17:00:00.123Z info  auth[7]: login refused user=mrose address=192.0.2.1 octets=3",
    );
  });

  it.each([
    ["x address=198.51.100.7", '"x address=198.51.100.7"'],
    ['x" address=198.51.100.7 "', '"x\\" address=198.51.100.7 \\""'],
    ["x\naddress=198.51.100.7", '"x\\naddress=198.51.100.7"'],
    ["", '""'],
    ["a\\b", '"a\\\\b"'],
    ["\u001b[2J", "\\x1b[2J"],
    ["\u009b2J\u202e", "\\x9b2J\\u202e"],
  ])("shows %j so that it is one value", (user, shown) => {
    expect(fieldText(user)).toBe(shown);
  });

  it("shows lists and objects as JSON", () => {
    expect(fieldText(["127.0.0.1:110", "[::1]:110"])).toBe('["127.0.0.1:110","[::1]:110"]');
  });

  it("leaves time and level to journald, which is told the priority", () => {
    expect(formatLine(json({}, "warn"), { format: "text", isJournal: true })).toBe(
      "<4>auth[7]: login refused\n",
    );
    expect(formatLine(json({}, "error"), { format: "json", isJournal: true })).toBe(
      `<3>${json({}, "error")}`,
    );
    expect(formatLine(json({}), { format: "json", isJournal: false })).toBe(json({}));
  });
});
