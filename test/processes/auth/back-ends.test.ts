import pino from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { parseAccountLine } from "../../../src/accounts/account.ts";
import { formatListenAddress, parseListenAddress } from "../../../src/net/address.ts";
import type { Probed } from "../../../src/net/probe-back-end.ts";
import { BackEnds } from "../../../src/processes/auth/back-ends.ts";
import { byPreference } from "../../../src/processes/auth/rendezvous.ts";

const silent: Probed = { kind: "silent", reason: "ETIMEDOUT", isCertain: false };
const gone: Probed = { kind: "silent", reason: "ECONNREFUSED", isCertain: true };
const names = ["192.0.2.11:110", "192.0.2.12:1110", "192.0.2.13:110"];

let probed: Map<string, Probed>;
let running: BackEnds | undefined;
afterEach(() => running?.close());

function backEnds(sharedStorage: boolean): BackEnds {
  probed = new Map();
  running = new BackEnds(
    { backEnds: names.map((name) => parseListenAddress(name)!), sharedStorage },
    pino({ level: "silent" }),
    async (address) => probed.get(formatListenAddress(address)) ?? { kind: "serves" },
  );
  return running;
}

function account(extra = "") {
  const parsed = parseAccountLine(`mrose:{PLAIN}secret:1000:1000::/home/mrose::${extra}`, 1);
  if (parsed.kind !== "account") throw new Error("no account");
  return parsed.account;
}

function chosen(from: BackEnds, extra = ""): string {
  const choice = from.choose(account(extra));
  return choice.kind === "back-end" ? formatListenAddress(choice.address) : choice.kind;
}

const [first, second, third] = byPreference("mrose", names) as [string, string, string];

describe("BackEnds", () => {
  it("chooses by the account's name, and on shared storage the next one while that is down", async () => {
    const shared = backEnds(true);
    expect(chosen(shared)).toBe(first);
    probed.set(first, gone);
    await shared.probeAll();
    expect(chosen(shared)).toBe(second);
    probed.set(second, gone);
    await shared.probeAll();
    expect(chosen(shared)).toBe(third);
    probed.set(third, gone);
    await shared.probeAll();
    expect(chosen(shared)).toBe("unavailable");
    probed.clear();
    await shared.probeAll();
    expect(chosen(shared)).toBe(first);
  });

  it("takes one lost answer for nothing, and two for the end", async () => {
    const shared = backEnds(true);
    probed.set(first, silent);
    await shared.probeAll();
    expect(chosen(shared)).toBe(first);
    await shared.probeAll();
    expect(chosen(shared)).toBe(second);
  });

  it("sends nobody to a host that has not got the mail", async () => {
    const apart = backEnds(false);
    probed.set(first, gone);
    await apart.probeAll();
    expect(chosen(apart)).toBe("unavailable");
  });

  it("follows the account's host, with its own port, the list's, or POP3's", () => {
    const apart = backEnds(false);
    expect(chosen(apart, "host=192.0.2.12")).toBe("192.0.2.12:1110");
    expect(chosen(apart, "host=192.0.2.12 port=2110")).toBe("192.0.2.12:2110");
    expect(chosen(apart, "host=198.51.100.1")).toBe("198.51.100.1:110");
    expect(chosen(apart, "host=2001:db8::1")).toBe("[2001:db8::1]:110");
  });

  it("watches a host that the account alone names, and leaves it when mail is shared", async () => {
    const shared = backEnds(true);
    expect(chosen(shared, "host=198.51.100.1")).toBe("198.51.100.1:110");
    probed.set("198.51.100.1:110", gone);
    await shared.probeAll();
    expect(chosen(shared, "host=198.51.100.1")).toBe(first);
  });

  it.each(["host=mail.example.org", "host", "host=192.0.2.12 port=0", "host=192.0.2.12 port=x"])(
    "says what is wrong with %s",
    (extra) => {
      expect(backEnds(true).choose(account(extra))).toMatchObject({ kind: "unusable" });
    },
  );
});
