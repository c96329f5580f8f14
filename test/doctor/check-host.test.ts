import { describe, expect, it } from "vitest";
import { checkClock, openFilesFindings } from "../../src/doctor/check-host.ts";

const says = (text: string | undefined) => async () => text;

describe("checkClock", () => {
  it("knows a clock that is before the program's installation", async () => {
    expect(await checkClock(Date.parse("2001-01-01"), says("yes"))).toMatchObject([{ level: "error" }]);
  });
  it("warns where nothing keeps it right, and takes a host without timedatectl as it is", async () => {
    expect(await checkClock(Date.now(), says("no\n"))).toMatchObject([{ level: "warning" }]);
    expect(await checkClock(Date.now(), says("yes\n"))).toMatchObject([{ level: "ok" }]);
    expect(await checkClock(Date.now(), says(undefined))).toMatchObject([{ level: "ok" }]);
  });
});

describe("open files", () => {
  const limits = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                 524288               files\n`;
  it("warns of a limit that a busy evening reaches", () => {
    expect(openFilesFindings(limits("1024"), "it")).toMatchObject([{ level: "warning" }]);
    expect(openFilesFindings(limits("65536"), "it")).toMatchObject([{ level: "ok" }]);
    expect(openFilesFindings(limits("unlimited"), "it")).toMatchObject([{ level: "ok" }]);
  });
});
