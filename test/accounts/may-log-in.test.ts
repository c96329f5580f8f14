import { describe, expect, it } from "vitest";
import { mayLogIn } from "../../src/accounts/may-log-in.ts";

const withExtra = (...fields: [string, string | true][]) => ({ extra: new Map(fields) });

describe("mayLogIn", () => {
  it("lets an account without restrictions in from anywhere", () => {
    expect(mayLogIn(withExtra(), "192.0.2.1")).toBe(true);
    expect(mayLogIn(withExtra(), undefined)).toBe(true);
  });

  it.each([true, "", "y", "no"] as const)("refuses nologin, whatever its value: %j", (value) => {
    expect(mayLogIn(withExtra(["nologin", value]), "192.0.2.1")).toBe(false);
  });

  it.each([
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["10.0.0.0/8, 192.0.2.7", "192.0.2.7", true],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["[2001:db8::]/32", "2001:db8::1", true],
    ["fe80::/10", "fe80::1%eth0", true],
    ["192.0.2.0/24", "::ffff:192.0.2.9", true],
    ["192.0.2.0/24", "::ffff:192.0.3.9", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["local", undefined, true],
    ["192.0.2.0/24,local", "", true],
    ["192.0.2.0/24", undefined, false],
    ["local", "127.0.0.1", false],
  ] as const)("allow_nets=%s from %s: %s", (networks, address, isAllowed) => {
    expect(mayLogIn(withExtra(["allow_nets", networks]), address)).toBe(isAllowed);
  });

  it.each(["", "192.0.2.0/33", "192.0.2/24", "2001:db8::/129", "mail.example", "*", "192.0.2.0/"])(
    "shuts out with a network that cannot be read: %j",
    (networks) => {
      expect(mayLogIn(withExtra(["allow_nets", networks]), "192.0.2.1")).toBe(false);
    },
  );

  it("shuts out with allow_nets that has no value, and an address that is none", () => {
    expect(mayLogIn(withExtra(["allow_nets", true]), "192.0.2.1")).toBe(false);
    expect(mayLogIn(withExtra(["allow_nets", "0.0.0.0/0"]), "not an address")).toBe(false);
  });
});
