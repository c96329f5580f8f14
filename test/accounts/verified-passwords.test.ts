import { describe, expect, it } from "vitest";
import { VerifiedPasswords } from "../../src/accounts/verified-passwords.ts";

const secret = Buffer.from("secret");

describe("VerifiedPasswords", () => {
  it("knows what was added, for this user with this password field only", () => {
    const passwords = new VerifiedPasswords();
    passwords.add("mrose", "{X}1", secret);
    expect(passwords.has("mrose", "{X}1", secret)).toBe(true);
    expect(passwords.has("mrose", "{X}2", secret)).toBe(false);
    expect(passwords.has("MROSE", "{X}1", secret)).toBe(false);
    expect(passwords.has("mrose", "{X}1", Buffer.from("secret "))).toBe(false);
    // The parts do not run into each other.
    expect(passwords.has("mrose{X}1", "", secret)).toBe(false);
    expect(passwords.has("mrose", "{X}", Buffer.from("1secret"))).toBe(false);
    passwords.clear();
    expect(passwords.has("mrose", "{X}1", secret)).toBe(false);
  });

  it("forgets the least recently used one when it is full", () => {
    const passwords = new VerifiedPasswords(2);
    passwords.add("a", "f", secret);
    passwords.add("b", "f", secret);
    expect(passwords.has("a", "f", secret)).toBe(true);
    passwords.add("c", "f", secret);
    expect(["a", "b", "c"].map((user) => passwords.has(user, "f", secret))).toEqual([true, false, true]);
  });
});
