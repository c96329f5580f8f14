// The Debian package as it is upgraded on a host with systemd, that serves with a config of its administrator's: from a version
// before to this one, then removed, then purged. Mail and its unique-ids come through all of it.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { slowly, startThrowAwayHost, type ThrowAwayHost } from "./support/throw-away-host.ts";

const version = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }
).version;
const fetch = "curl --silent --show-error --fail --user mrose:secret pop3://127.0.0.1/";
const config = "/etc/dewey-pop3/config.toml";
let host: ThrowAwayHost;

const mainPid = async (): Promise<string> =>
  (await host.type("systemctl show --property=MainPID --value dewey-pop3")).trim();
const installed = () =>
  host.type("dpkg --status dewey-pop3 | sed -n 's/^Version: //p; s/^Status: install ok //p'");

beforeAll(async () => {
  host = await startThrowAwayHost();
  // The one before is this one with another version and another line in its conffile.
  await host.type(
    `set -e
    scripts/package /tmp/packages
    dpkg-deb --raw-extract /tmp/packages/dewey-pop3_*.deb /tmp/before
    sed -i 's/^Version: .*/Version: 0.0.9/' /tmp/before/DEBIAN/control
    echo '# As it was in 0.0.9.' >>/tmp/before/etc/dewey-pop3/config.toml
    cp /tmp/before/etc/dewey-pop3/config.toml /tmp/before/usr/lib/dewey-pop3/etc/config.toml
    dpkg-deb --root-owner-group --build -Znone /tmp/before /tmp/before.deb
    dpkg --install /tmp/before.deb`,
    slowly,
  );
}, 600_000);
afterAll(() => host?.stop());

it("a version before, not configured yet: upgraded, its conffile is the new one, and nothing starts", async () => {
  expect(await installed()).toBe("installed\n0.0.9\n");
  await host.type("dpkg --install /tmp/packages/dewey-pop3_*.deb", slowly);
  expect(await installed()).toBe(`installed\n${version}\n`);
  await host.type(`cmp ${config} /usr/lib/dewey-pop3/etc/config.toml`);
  expect((await host.run("systemctl is-active dewey-pop3")).stdout.toString()).toBe("inactive\n");
  // Back to the beginning.
  await host.type("dpkg --install /tmp/before.deb", slowly);
});

it("configured: the config stays to the letter, the new version serves, sessions lose nothing", async () => {
  await host.type(
    `useradd --create-home mrose && install -d -o mrose -g mrose -m 700 ~mrose/Maildir/{,cur,new,tmp}
    printf 'Subject: one\\n\\n1\\n' >~mrose/Maildir/new/1.one && printf 'Subject: two\\n\\n2\\n' >~mrose/Maildir/new/2.two
    chown mrose: ~mrose/Maildir/new/*
    printf '# Mine.\\n[accounts]\\nsource = "system"\\n' >${config}`,
  );
  await host.type("pop3-passwd add mrose", { input: "secret\n" });
  const before = readFileSync(host.path(config), "utf8");
  const accounts = readFileSync(host.path("/etc/dewey-pop3/passwd"), "utf8");
  await host.type("systemctl start dewey-pop3");
  const uniqueIds = await host.type(`${fetch} --request UIDL`);
  expect(uniqueIds.trim().split("\n")).toHaveLength(2);
  const pid = await mainPid();

  // A session that has deleted a message and not said QUIT: the upgrade's restart must not remove it.
  await host.type(
    `{ exec 3<>/dev/tcp/127.0.0.1/110; printf 'USER mrose\\r\\nPASS secret\\r\\nDELE 1\\r\\n' >&3; cat <&3 >/tmp/session; } >/dev/null 2>&1 & disown`,
  );
  await eventually("the message is marked", () =>
    readFileSync(host.path("/tmp/session"), "utf8").includes("message 1 deleted"),
  );
  // No question: who has changed the config keeps it (dpkg's default), and finds the new one beside it.
  await host.type("dpkg --force-confdef --force-confold --install /tmp/packages/dewey-pop3_*.deb", slowly);
  expect(await installed()).toBe(`installed\n${version}\n`);
  expect(readFileSync(host.path(config), "utf8")).toBe(before);
  expect(readFileSync(host.path("/etc/dewey-pop3/passwd"), "utf8")).toBe(accounts);
  await host.type(`cmp ${config}.dpkg-dist /usr/lib/dewey-pop3/etc/config.toml`);
  expect(await host.type("systemctl is-active dewey-pop3")).toBe("active\n");
  expect(await mainPid()).not.toBe(pid);
  expect(await host.type(`${fetch} --request UIDL`)).toBe(uniqueIds);
  expect(await host.type(`${fetch}1`)).toBe("Subject: one\r\n\r\n1\r\n");
});

it("one that its administrator disabled and stopped stays so", async () => {
  await host.type("systemctl disable --now dewey-pop3");
  await host.type("dpkg --force-confdef --force-confold --install /tmp/packages/dewey-pop3_*.deb", slowly);
  expect((await host.run("systemctl is-active dewey-pop3")).stdout.toString()).toBe("inactive\n");
  expect((await host.run("systemctl is-enabled dewey-pop3")).stdout.toString()).toBe("disabled\n");
  await host.type("systemctl enable --now dewey-pop3");
});

it("a config that the new version refuses: the old server goes on, and what is wrong is said", async () => {
  const pid = await mainPid();
  await host.type(`cp ${config} /tmp/kept && echo 'unheard_of = 1' >>${config}`);
  const { exitCode, stderr } = await host.run(
    "dpkg --force-confdef --force-confold --install /tmp/packages/dewey-pop3_*.deb",
    slowly,
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining("unheard_of") });
  expect(await mainPid()).toBe(pid);
  expect(await host.type(`${fetch}2`)).toBe("Subject: two\r\n\r\n2\r\n");
  // Told once, and not by five starts in a row.
  expect((await host.run("systemctl restart dewey-pop3")).exitCode).toBe(1);
  const shown = await host.type("systemctl show --property=NRestarts,ExecMainStatus,ActiveState dewey-pop3");
  expect(shown.trim().split("\n").sort()).toEqual(["ActiveState=failed", "ExecMainStatus=78", "NRestarts=0"]);
  await host.type(`cp /tmp/kept ${config} && systemctl start dewey-pop3`);
});

it("removed, it serves no more; purged, mail and accounts are there as they were", async () => {
  await host.type("dpkg --remove dewey-pop3");
  expect((await host.run("systemctl is-active dewey-pop3")).exitCode).not.toBe(0);
  expect((await host.run(fetch)).exitCode).toBe(7);
  expect(readFileSync(host.path(config), "utf8")).toContain("# Mine.");
  await host.type("dpkg --purge dewey-pop3");
  expect((await host.run(`cat ${config}`)).exitCode).toBe(1);
  expect(readFileSync(host.path("/etc/dewey-pop3/passwd"), "utf8")).toMatch(/^mrose:/);
  expect(await host.type("cat ~mrose/Maildir/*/[12].*")).toBe("Subject: one\n\n1\nSubject: two\n\n2\n");
});
