// pop3-ctl setup on a host with a real Postfix's and Dovecot's configuration, laid out below a folder: it proposes, writes when
// told so, and never touches what somebody else wrote.
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eximFacts } from "../../src/setup/host-facts.ts";
import { propose } from "../../src/setup/proposal.ts";
import { sample } from "../../src/setup/sample.ts";
import { runnableProgram } from "../support/checkout.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { withUsers } from "./support/nss-wrapper.ts";

const { path: program, env } = runnableProgram("pop3-ctl");
const checker = runnableProgram("pop3-server");
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "dewey-setup-"));
  put(
    "etc/postfix/main.cf",
    "compatibility_level = 3.6\nvirtual_mailbox_domains = example.org\nmydestination = $myhostname, localhost\nmyhostname = mail.example.org\n",
  );
  put("etc/postfix/master.cf", "smtp inet n - y - - smtpd\n");
  put(
    "etc/dovecot/dovecot.conf",
    "protocols = imap\nmail_location = maildir:/srv/mail/%d/%n\nmail_uid = mail\nmail_gid = mail\npassdb {\n  driver = passwd-file\n  args = scheme=CRYPT /etc/dovecot/users\n}\n",
  );
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const read = (path: string): string => readFileSync(join(root, path), "utf8");
async function setup(...args: readonly string[]) {
  const all = ["setup", "--root", root, "--name", "mail.example.org", ...args];
  const { exitCode, stdout, stderr } = await runProgram(program, all, { env });
  return { exitCode, said: stdout.toString(), stderr };
}

describe("pop3-ctl setup", () => {
  it("shows what it proposes, and writes nothing", async () => {
    const { exitCode, said, stderr } = await setup();
    expect(exitCode).toBe(0);
    expect(said).toContain(
      "Found on mail.example.org: Postfix (example.org, mail.example.org); Dovecot (maildir:/srv/mail/%d/%n)",
    );
    expect(said).toContain("--- /etc/dewey-pop3/config.toml: to be written");
    expect(said).toContain('maildir = "/srv/mail/%d/%n"  # as Dovecot\'s mail_location');
    expect(said).toContain("pop3-passwd import /etc/dovecot/users");
    expect(stderr).toContain("nothing is written");
    expect(existsSync(join(root, "etc/dewey-pop3"))).toBe(false);
  });

  it("writes files of its own with --yes, and ends with the doctor", async () => {
    const postfix = read("etc/postfix/main.cf");
    const { said } = await setup("--yes");
    expect(said).toMatch(/^(?:ok {5}|ERROR {2}) {2}config: /m);
    const config = read("etc/dewey-pop3/config.toml");
    expect(config).toMatch(/^# Written by pop3-ctl setup, .*\n\[server\]\nname = "mail\.example\.org"\n/);
    expect(read("etc/dewey-pop3/postfix-main.cf")).toContain("\nvirtual_mailbox_domains = example.org\n");
    expect(read("etc/postfix/main.cf")).toBe(postfix);

    // As sound as pop3-server finds it, once the users are there.
    const elsewhere = join(root, "check.toml");
    writeFileSync(elsewhere, config.replace("[server]\n", '[server]\nrun_as = "starter"\n'));
    await runOrThrow(checker.path, ["--check", "--config", elsewhere], { env: checker.env });

    await setup("--yes");
    expect(read("etc/dewey-pop3/config.toml"), "a second run changes nothing").toBe(config);
  });

  it("says nothing is written that cannot be", async () => {
    put("etc/dewey-pop3", "a file where the folder should be\n");
    expect(await setup("--yes")).toEqual({
      exitCode: 1,
      said: "",
      stderr: expect.stringMatching(
        /^pop3-ctl: cannot read .*\/etc\/dewey-pop3\/config\.toml: not a directory\n$/,
      ),
    });
  });

  it("says that it cannot write before it says what it wrote", async () => {
    put("etc/dewey-pop3/config.toml.dewey-setup", "of a run that was killed\n");
    expect(await setup("--yes")).toEqual({
      exitCode: 1,
      said: "",
      stderr: expect.stringMatching(/^pop3-ctl: cannot write .*\/etc\/dewey-pop3\/config\.toml: /),
    });
  });

  it("leaves alone what somebody else wrote, or changed since", async () => {
    await setup("--yes");
    appendFileSync(join(root, "etc/dewey-pop3/config.toml"), "# mine\n");
    const mine = read("etc/dewey-pop3/config.toml");
    put("etc/dewey-pop3/postfix-main.cf", "# somebody else's\n");
    const { said } = await setup("--yes");
    expect(said).toContain("--- /etc/dewey-pop3/config.toml: is there already and stays");
    expect(read("etc/dewey-pop3/config.toml")).toBe(mine);
    expect(read("etc/dewey-pop3/postfix-main.cf")).toBe("# somebody else's\n");
  });
});

describe("pop3-ctl setup beside the real Exim and Courier", () => {
  const peers = process.env["DEWEY_PEERS_DIR"] ?? "/opt/dewey-pop3-peers";
  const exim = join(peers, "exim/usr/sbin/exim4");

  beforeEach(() => {
    rmSync(join(root, "etc"), { recursive: true });
    cpSync(join(peers, "exim/etc/exim4"), join(root, "etc/exim4"), { recursive: true });
    // As Debian's installer leaves it for an "internet site".
    put(
      "etc/exim4/update-exim4.conf.conf",
      "dc_eximconfig_configtype='internet'\ndc_other_hostnames='mail.example.org:example.org'\ndc_use_split_config='true'\n",
    );
    cpSync(join(peers, "courier/etc/courier"), join(root, "etc/courier"), { recursive: true });
  });

  it("writes files that Exim takes where Debian puts them together", async () => {
    const { said } = await setup("--yes");
    expect(said).toContain("Found on mail.example.org: Exim; Courier");
    expect(said).toContain("take over Courier's accounts: pop3-passwd import");
    const configuration = join(root, "exim.conf");
    const user = { name: "Debian-exim", uid: 65_534, gid: 65_534 };
    const users = withUsers(root, [{ ...user, home: root }], [user]);
    const update = join(peers, "exim/usr/sbin/update-exim4.conf");
    await runOrThrow(update, ["--confdir", join(root, "etc/exim4"), "--output", configuration], {
      env: users,
    });
    const exim4 = (...args: string[]) => runOrThrow(exim, ["-C", configuration, ...args], { env: users });
    expect((await exim4("-bV")).stdout.toString()).toContain(`Configuration file is ${configuration}`);
    const told = async (kind: string): Promise<string> => (await exim4("-bP", kind)).stdout.toString();
    // Behind aliases and before the host's users, and before what Debian offers.
    expect(await told("router_list")).toMatch(/\nsystem_aliases\ndewey_accounts\n(?:.*\n)*local_user\n/);
    expect(await told("transport_list")).toMatch(/^dewey_maildir$/m);
    expect(await told("authenticator_list")).toMatch(/^dewey_plain\ndewey_login\n/);
    expect(await told("macro_list")).toContain("DEWEY_SASL_SOCKET");
    // The very path that our auth process listens on.
    const path = /sasl_socket = \{ path = "([^"]+)"/.exec(read("etc/dewey-pop3/config.toml"))?.[1];
    expect(await told("authenticators")).toContain(`server_socket = ${path}`);
  });

  it("fits an Exim that is none of Debian's: one file, at another place, by the name exim", async () => {
    const configuration = join(root, "configure");
    /** As whoever built it has it, and as setup says that it has to become. */
    const written = (include: (name: string) => string): void =>
      writeFileSync(
        configuration,
        `primary_hostname = mail.example.org
exim_group = mail
${include("macros")}
domainlist local_domains = @ : localhost.example.org : example.org : example.net
begin routers
${include("router")}
begin transports
${include("transport")}
begin authenticators
${include("authenticators")}
`,
        { mode: 0o644 },
      );
    written(() => "");
    const user = { name: "Debian-exim", uid: 65_534, gid: 65_534 };
    const users = withUsers(root, [{ ...user, home: root }], [user]);
    // Its own place is compiled in: -C is how it comes to another one.
    const run = async (name: string, args: readonly string[]): Promise<string | undefined> => {
      if (name !== "exim") return undefined;
      return (await runOrThrow(exim, ["-C", configuration, ...args], { env: users })).stdout.toString();
    };
    // It reads what stands behind the main section as its own user.
    chmodSync(root, 0o755);
    const facts = await eximFacts("", "mail.example.org", run);
    expect(facts).toEqual({
      splitFolder: undefined,
      isSplit: false,
      hasTls: false,
      configFile: configuration,
      group: "mail",
      domains: ["example.org", "example.net"],
    });

    const bare = {
      postfix: undefined,
      dovecot: undefined,
      hasCourier: false,
      certificateNames: [],
      takenPorts: [],
      mailFolders: [],
      hasAccounts: false,
      hasDropIn: false,
    };
    const host = { ...bare, name: "mail.example.org", hasVmail: false, exim: facts };
    const { files, steps } = propose(host, "/etc/dewey-pop3/config.toml", sample);
    for (const { path, text } of files) put(path, text);
    for (const name of ["macros", "router", "transport", "authenticators"])
      expect(steps.join("\n")).toContain(`".include /etc/dewey-pop3/exim-${name}"`);
    written((name) => `.include ${join(root, `etc/dewey-pop3/exim-${name}`)}`);
    expect(await run("exim", ["-bP", "router_list"])).toBe("dewey_accounts\n");
    expect(await run("exim", ["-bP", "authenticator_list"])).toBe("dewey_plain\ndewey_login\n");
    expect(await run("exim", ["-bP", "macro", "DEWEY_DOMAINS"])).toContain("example.org : example.net");
    expect(read("etc/dewey-pop3/config.toml")).toContain(
      'path = "/run/dewey-pop3/exim-auth", group = "mail"',
    );
  });

  it("proposes whole files where Exim's configuration is one", async () => {
    rmSync(join(root, "etc/exim4/conf.d"), { recursive: true });
    const { said } = await setup("--yes");
    expect(said).toContain(
      'have Exim read the files, in Exim\'s configuration: ".include /etc/dewey-pop3/exim-macros"',
    );
    for (const name of ["macros", "router", "transport", "authenticators"])
      expect(existsSync(join(root, `etc/dewey-pop3/exim-${name}`)), name).toBe(true);
  });
});
