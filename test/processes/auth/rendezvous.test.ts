import { describe, expect, it } from "vitest";
import { byPreference } from "../../../src/processes/auth/rendezvous.ts";

const accounts = Array.from({ length: 3_000 }, (_, index) => `user${index}@example.org`);
const backEnds = ["192.0.2.11:110", "192.0.2.12:110", "192.0.2.13:110"];
const firstOf = (names: readonly string[]): string[] =>
  accounts.map((account) => byPreference(account, names)[0]!);

describe("byPreference", () => {
  it("spreads accounts evenly, in whatever order the list is", () => {
    const first = firstOf(backEnds);
    for (const name of backEnds) {
      const share = first.filter((each) => each === name).length;
      expect(share).toBeGreaterThan(900);
      expect(share).toBeLessThan(1_100);
    }
    expect(firstOf([...backEnds].reverse())).toEqual(first);
  });

  it("moves to an added back end what it is due, and nothing else", () => {
    const before = firstOf(backEnds);
    const after = firstOf([...backEnds, "192.0.2.14:110"]);
    const moved = after.filter((name, index) => name !== before[index]);
    expect(new Set(moved)).toEqual(new Set(["192.0.2.14:110"]));
    expect(moved.length).toBeGreaterThan(650);
    expect(moved.length).toBeLessThan(850);
  });

  it("has those of a dead back end stood in for by all the others", () => {
    const orders = accounts.map((account) => byPreference(account, backEnds));
    const ofDead = orders.filter(([first]) => first === backEnds[0]);
    expect(new Set(ofDead.map((order) => order[1]))).toEqual(new Set(backEnds.slice(1)));
    for (const order of orders)
      expect(byPreference(accounts[orders.indexOf(order)]!, backEnds.slice(1))).toEqual(
        order.filter((name) => name !== backEnds[0]),
      );
  });

  it("gives every host the same answer, for good: another would move all accounts", () => {
    expect(byPreference("mrose@example.org", backEnds)).toMatchInlineSnapshot(`
      [
        "192.0.2.12:110",
        "192.0.2.13:110",
        "192.0.2.11:110",
      ]
    `);
  });
});
