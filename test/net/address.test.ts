import { describe, expect, it } from "vitest";
import { isLoopback, parseListenAddress, plainAddress } from "../../src/net/address.ts";

describe("listen addresses", () => {
  it.each([
    ["127.0.0.1:110", { host: "127.0.0.1", port: 110 }],
    ["[::1]:995", { host: "::1", port: 995 }],
    ["*:110", { host: "::", port: 110 }],
    ["0.0.0.0:0", { host: "0.0.0.0", port: 0 }],
  ])("%s is one", (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  it.each([
    "",
    "110",
    "localhost:110",
    "127.0.0.1",
    "127.0.0.1:65536",
    "127.0.0.256:110",
    "1.2.3:110",
    "::1:110",
    "1.2.3.4.5:1",
  ])("%s is none", (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  });
});

describe("client addresses", () => {
  it("shows an IPv4 client on an IPv6 socket as IPv4", () => {
    expect(plainAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(plainAddress("2001:db8::1")).toBe("2001:db8::1");
    expect(plainAddress(undefined)).toBe("");
  });

  it("knows loopback addresses", () => {
    expect(["127.0.0.1", "127.255.0.3", "::1"].every(isLoopback)).toBe(true);
    expect(["128.0.0.1", "::", "10.0.0.1", "127.0.0.1.example", ""].some(isLoopback)).toBe(false);
  });
});
