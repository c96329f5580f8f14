import { describe, expect, it } from "vitest";
import { isNetwork, networkOf, networksOf } from "../../src/host/networks.ts";

describe("networkOf", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:0001:0002::ff", "2001:db8:1:2::/64"],
    ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", undefined],
    ["unknown", undefined],
    ["192.0.2", undefined],
  ])("%j is %j", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe("networksOf", () => {
  it("finds addresses of either family, mapped ones and those with a zone, too", () => {
    const networks = networksOf(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7", "nonsense", "10.0.0.0/33"]);
    for (const address of ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8:1::1", "198.51.100.7"]) {
      expect(networks.has(address), address).toBe(true);
    }
    for (const address of ["192.0.3.1", "2001:db9::1", "198.51.100.8", "10.0.0.1", "", "nonsense"]) {
      expect(networks.has(address), address).toBe(false);
    }
  });
});

describe("isNetwork", () => {
  it.each(["192.0.2.0/24", "192.0.2.1", "::1/128", "[2001:db8::]/32"])("takes %j", (text) => {
    expect(isNetwork(text)).toBe(true);
  });

  it.each(["", "localhost", "192.0.2.0/33", "::1/129", "192.0.2/24", "192.0.2.0/"])("refuses %j", (text) => {
    expect(isNetwork(text)).toBe(false);
  });
});
