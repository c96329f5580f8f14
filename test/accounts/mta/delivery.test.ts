import { describe, expect, it } from "vitest";
import { type DeliverySettings, deliveryOf } from "../../../src/accounts/mta/delivery.ts";
import { accountsOf } from "../accounts-of.ts";

const hostUsers: Readonly<Record<string, { uid: number; gid: number; home?: string }>> = {
  mrose: { uid: 1001, gid: 100, home: "/home/mrose" },
  daemon: { uid: 0, gid: 0, home: "/" },
};

function look(line: string, settings: Partial<DeliverySettings> = {}) {
  const asked: string[] = [];
  const [account] = accountsOf(line);
  const delivery = deliveryOf(account!, {
    maildir: "~/Maildir",
    owner: undefined,
    localDomains: [],
    source: "system",
    findUser: (name) => {
      asked.push(name);
      return hostUsers[name];
    },
    findGid: (name) => (name === "users" ? 100 : undefined),
    ...settings,
  });
  return { ...delivery, asked };
}

const delivery = (uid: number, gid: number, home = "/home/mrose") => ({
  kind: "delivery",
  maildir: `${home}/Maildir`,
  uid,
  gid,
});

describe("deliveryOf, where the host's users fill in what a line leaves empty", () => {
  it("takes uid, gid and home from the host's user of that name", () => {
    expect(look("mrose:x")).toMatchObject(delivery(1001, 100));
    expect(look("mrose:x:::::")).toMatchObject(delivery(1001, 100));
  });

  it("lets what the line says stand", () => {
    expect(look("mrose:x:1001:users")).toMatchObject(delivery(1001, 100));
    expect(look("mrose:x::2000::/srv/mrose:")).toMatchObject(delivery(1001, 2000, "/srv/mrose"));
  });

  it("asks the host nothing about a line that is complete", () => {
    expect(look("mrose:x:1002:1002::/srv/mrose:")).toEqual({
      ...delivery(1002, 1002, "/srv/mrose"),
      asked: [],
    });
  });

  it("asks for names alone, since a number would be another user's uid", () => {
    expect(look("1001:x::::/srv/x:")).toMatchObject({ kind: "unusable", asked: [] });
  });

  it("never gives the group of one user to the uid of another", () => {
    expect(look("mrose:x:1002:::/srv/mrose:")).toMatchObject({
      kind: "unusable",
      reason: expect.stringContaining("no gid"),
    });
  });

  it("takes a user's primary group where a line names the user only", () => {
    const source = "passwd-file";
    expect(look("m@example.org:x:mrose:::/srv/m:", { source })).toMatchObject(delivery(1001, 100, "/srv/m"));
  });

  it("does not fall back to the host's user where the line names one that is not there", () => {
    expect(look("mrose:x:nobody-here")).toMatchObject({
      kind: "unusable",
      reason: "its uid nobody-here cannot be used on this host",
    });
  });

  it("refuses root, by whatever name", () => {
    expect(look("daemon:x::::/srv/x:")).toMatchObject({ kind: "unusable" });
    expect(look("x:x:daemon:users::/srv/x:")).toMatchObject({ kind: "unusable" });
  });

  it("takes nothing from the host where it is not the source", () => {
    expect(look("mrose:x::::/srv/mrose:", { source: "passwd-file" })).toMatchObject({
      kind: "unusable",
      reason: "mail.user is not set, and the account has no uid",
      asked: [],
    });
  });
});
