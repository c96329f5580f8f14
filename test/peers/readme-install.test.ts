// README and etc/INSTALL.md without the package, each on a host of its own with systemd: the demonstration, a checkout, npm's
// global folder. Each ends with a session.
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { readmeBlock } from "../support/readme.ts";
import { slowly, startThrowAwayHost, type ThrowAwayHost } from "./support/throw-away-host.ts";

const patiently = { timeout: 600_000 };
let host: ThrowAwayHost;
beforeEach(async () => {
  host = await startThrowAwayHost();
});
afterEach(() => host.stop());

it("npm ci && npm start", patiently, async () => {
  await host.type(`{ ${readmeBlock("start").trim()}; } >/tmp/said 2>&1 & disown`, { online: true });
  await eventually(
    "the demonstration",
    async () => {
      // In the network that npm has: the port is the demonstration's, or the command has failed.
      const { stdout } = await host.run("cat /tmp/said");
      return stdout.toString().includes("Try it:  curl -u mrose:secret pop3://127.0.0.1:1110/");
    },
    slowly.deadlineMs,
  );
});

it.each(["checkout", "npm"] as const)("the service from %s", patiently, async (way) => {
  const block = way === "npm" ? readmeBlock("npm") : readmeBlock("checkout");
  await host.type(`set -e\n${block}\n${readmeBlock("man and completions")}`, { ...slowly, online: true });
  for (const page of ["pop3-server", "pop3-passwd", "pop3-ctl", "dewey-pop3.toml"])
    expect(await host.type(`man --where ${page}`)).toContain(`${page}.`);
  // Where each shell looks by itself; zsh as somebody who has compinit in .zshrc.
  expect(await host.type("fish -c \"complete -C 'pop3-ctl mailbox st'\"")).toMatch(/^status\t/);
  expect(await host.type("zsh -c 'autoload -Uz compinit && compinit -u -D && print $_comps[pop3-ctl]'")).toBe(
    "_pop3-ctl\n",
  );
  await host.type("test -r /usr/local/share/bash-completion/completions/pop3-ctl");
  // The one thing that config.toml cannot know: whose the mail is. And an account.
  await host.type(`useradd --create-home mrose && install -d -o mrose -g mrose -m 700 ~mrose/Maildir/{,cur,new,tmp}
    printf '[accounts]\\nsource = "system"\\n' >/etc/dewey-pop3/config.toml`);
  await host.type("pop3-passwd add mrose", { input: "secret\n" });
  await host.type("systemctl start dewey-pop3");
  expect(await host.type("curl --silent --fail --user mrose:secret pop3://127.0.0.1/")).toBe("\r\n");
  const { exitCode, stdout } = await host.run("pop3-ctl doctor");
  expect({ exitCode, said: stdout.toString() }).toEqual({
    exitCode: 1,
    said: expect.not.stringContaining("ERROR"),
  });
});
