import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDevice,
  devicesOf,
  dropDevicesOf,
  revokeDevice,
} from "../../../src/accounts/devices/device-edits.ts";
import {
  type Device,
  deviceNameFault,
  drawDevicePassword,
  formatDeviceLine,
  isPasswordOf,
  makeDevice,
  normalDevicePassword,
  parseDeviceLine,
} from "../../../src/accounts/devices/device-lines.ts";
import type { EditChange } from "../../../src/accounts/file/edit.ts";
import { joinLines, splitLines } from "../../../src/accounts/file/passwd-lines.ts";

const now = new Date("2026-11-25T13:25:00.123Z");
const lines = (content: string) => splitLines(Buffer.from(content));
const normal = (text: string) => normalDevicePassword(Buffer.from(text));

function written(change: EditChange): string {
  if (change.kind !== "write") throw new Error(JSON.stringify(change));
  return Buffer.from(joinLines(change.lines)).toString();
}

describe("a device's password", () => {
  it("is readable, and another one each time", () => {
    const passwords = Array.from({ length: 200 }, drawDevicePassword);
    for (const password of passwords)
      expect(password).toMatch(/^(?:[0-9abcdefghjkmnpqrstvwxyz]{5}-){3}[^-]{5}$/);
    expect(new Set(passwords).size).toBe(200);
    // Every character of the alphabet turns up: 100 bits are only there if all 32 do.
    expect(new Set(passwords.join("").replaceAll("-", "")).size).toBe(32);
  });

  it("is the same however it is typed", () => {
    const password = "0xyj4-02z8n-bkxtq-1x9h0";
    for (const typed of [
      "0xyj402z8nbkxtq1x9h0",
      "0XYJ4 02Z8N BKXTQ 1X9H0",
      "Oxyj4-o2z8n-bkxtq-Ix9ho",
      "0xyj4-02z8n-bkxtq-lx9h0",
    ])
      expect(normal(typed)).toBe(normal(password));
    expect(normal(password)).toBe("0xyj402z8nbkxtq1x9h0");
  });

  it.each([
    "",
    "secret",
    "0xyj4-02z8n-bkxtq-1x9h",
    "0xyj4-02z8n-bkxtq-1x9h00",
    "0xyj4-02z8n-bkxtq-1x9hu",
    "0".repeat(5000),
  ])("cannot be %j", (typed) => {
    expect(normal(typed)).toBeUndefined();
  });

  it("opens its own device alone, and does not stand in its line", () => {
    const password = drawDevicePassword();
    const device = makeDevice("mrose", "phone", password, now);
    expect(isPasswordOf(device, normal(password)!)).toBe(true);
    expect(isPasswordOf(device, normal(drawDevicePassword())!)).toBe(false);
    expect(isPasswordOf(makeDevice("mrose", "phone", drawDevicePassword(), now), normal(password)!)).toBe(
      false,
    );
    expect(formatDeviceLine(device)).not.toContain(password.slice(0, 5));
  });
});

describe("a device's line", () => {
  it("is read as it was written", () => {
    const device = makeDevice("mrose@example.org", "Mäx' phone: the 2nd", drawDevicePassword(), now);
    expect(device.created).toBe("20261125T132500Z");
    expect(parseDeviceLine(lines(formatDeviceLine(device))[0]!)).toEqual(device);
  });

  it("opens nothing when it is damaged", () => {
    const line = formatDeviceLine(makeDevice("mrose", "phone", drawDevicePassword(), now));
    for (const damaged of [
      "",
      `#${line}`,
      line.slice(0, 50),
      line.replace("{SSHA256}", "{PLAIN}"),
      line.replace(":20", ":"),
    ])
      expect(
        parseDeviceLine(lines(`${damaged}\n`)[0] ?? { bytes: new Uint8Array(), end: "" }),
      ).toBeUndefined();
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parseDeviceLine({ bytes, end: "\n" });
      }),
    );
  });
});

describe("deviceNameFault", () => {
  it.each(["phone", "Mäx' Telefon", "a:b", "x".repeat(64)])("takes %j", (name) => {
    expect(deviceNameFault(name)).toBeUndefined();
  });
  it.each(["", " phone", "a\nb", "a\u0007", "ä".repeat(33)])("refuses %j", (name) => {
    expect(deviceNameFault(name)).toBeDefined();
  });
});

describe("the file of devices", () => {
  const device = (user: string, name: string): Device => makeDevice(user, name, drawDevicePassword(), now);
  const [phone, laptop, other] = [
    device("mrose", "phone"),
    device("mrose", "laptop"),
    device("joe", "phone"),
  ];
  const content = [phone, laptop, other].map((each) => `${formatDeviceLine(each)}\n`).join("");

  it("gets a device, behind a head that says what it is", () => {
    const first = written(addDevice([], phone));
    expect(first).toMatch(/^# .*\n# .*\nmrose:[0-9a-f]{12}:\{SSHA256\}[^:]+:20261125T132500Z:phone\n$/);
    expect(devicesOf(lines(written(addDevice(lines(first), laptop))))).toEqual([phone, laptop]);
  });

  it("has one device of a name for each user", () => {
    expect(addDevice(lines(content), device("mrose", "phone"))).toEqual({
      kind: "refuse",
      reason: 'mrose has a device "phone" already: revoke it first',
    });
    expect(addDevice(lines(content), device("joe", "laptop")).kind).toBe("write");
  });

  it("loses the device that is revoked, by name or id, and no other", () => {
    for (const named of [phone.name, phone.id])
      expect(devicesOf(lines(written(revokeDevice(lines(content), "mrose", named))))).toEqual([
        laptop,
        other,
      ]);
    expect(devicesOf(lines(written(revokeDevice(lines(content), "mrose", undefined))))).toEqual([other]);
    expect(revokeDevice(lines(content), "joe", laptop.id)).toEqual({
      kind: "refuse",
      reason: `joe has no device "${laptop.id}"`,
    });
  });

  it("loses the devices of accounts that go", () => {
    expect(devicesOf(lines(written(dropDevicesOf(lines(content), new Set(["mrose"])))))).toEqual([other]);
    expect(dropDevicesOf(lines(content), new Set(["ann"]))).toEqual({ kind: "keep" });
  });
});
