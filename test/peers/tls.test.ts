// Real clients with TLS: curl, openssl(1), Python's poplib and fetchmail, by POP3S and by STLS, each checking the
// server's certificate against its authority; and curl with a certificate of its own.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { mailOwner } from "../support/mail-owner.ts";
import { type ProgramResult, runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";

const owner = mailOwner();
const message = Buffer.from("Subject: secret\n\nnobody else reads this\n");
const user = "mrose@example.org";
let folder: string;
let server: TestServer;
let authority: MadeCertificate;

const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-tls-peers-"));
  chmodSync(folder, 0o755);
  authority = await makeCertificate({ subject: "CN=Authority", isAuthority: true });
  const intermediate = await makeCertificate({
    subject: "CN=Intermediate",
    isAuthority: true,
    issuer: authority,
  });
  const own = await makeCertificate({
    subject: "CN=localhost",
    issuer: intermediate,
    names: [
      { type: "dns", value: "localhost" },
      { type: "ip", value: "127.0.0.1" },
    ],
  });
  const client = await makeCertificate({
    subject: "CN=Marshall",
    issuer: authority,
    names: [{ type: "email", value: user }],
  });
  const stranger = await makeCertificate({ subject: "CN=Marshall", names: [{ type: "email", value: user }] });
  writeFileSync(file("authority.pem"), authority.certificate);
  writeFileSync(file("client.pem"), client.certificate + client.privateKey, { mode: 0o600 });
  writeFileSync(file("stranger.pem"), stranger.certificate + stranger.privateKey, { mode: 0o600 });
  const home = file("home");
  layOutMaildir(home, owner, new Map([["new/1.secret", message]]));
  server = await startServer({
    accounts: [{ user, password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    certificates: [{ ...own, certificate: own.certificate + intermediate.certificate }],
    settings: { auth: { plaintext_without_tls: "never" }, tls: { client_ca: file("authority.pem") } },
  });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

function curl(url: string, args: readonly string[], credentials = `${user}:secret`): Promise<ProgramResult> {
  return runProgram("curl", ["--silent", "--show-error", "--config", "-", ...args, url], {
    input: `user = "${credentials}"\ncacert = "${file("authority.pem")}"\n`,
  });
}

const asRetrieved = message.toString().replaceAll("\n", "\r\n");
const pop3s = (path = ""): string => `pop3s://localhost:${server.tlsPort}/${path}`;
const pop3 = (path = ""): string => `pop3://localhost:${server.port}/${path}`;

describe("curl", () => {
  it.each(["1.2", "1.3"])("retrieves by POP3S with TLS %s", async (version) => {
    const { exitCode, stdout, stderr } = await curl(pop3s("1"), [`--tlsv${version}`, "--tls-max", version]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.toString()).toBe(asRetrieved);
  });

  it("retrieves by STLS", async () => {
    const { exitCode, stdout, stderr } = await curl(pop3("1"), ["--ssl-reqd", "--verbose"]);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toMatch(/^> STLS/m);
    expect(stdout.toString()).toBe(asRetrieved);
  });

  it("gets nowhere without TLS", async () => {
    const { exitCode, stdout } = await curl(pop3("1"), []);
    expect(exitCode).not.toBe(0);
    expect(stdout).toHaveLength(0);
  });

  it("logs in by its certificate alone, and not by a stranger's", async () => {
    const external = (name: string) =>
      curl(pop3s("1"), ["--cert", file(name), "--login-options", "AUTH=EXTERNAL", "--verbose"], `${user}:`);
    const known = await external("client.pem");
    expect(known.exitCode, known.stderr).toBe(0);
    expect(known.stdout.toString()).toBe(asRetrieved);
    const unknown = await external("stranger.pem");
    expect(unknown.exitCode).not.toBe(0);
    // It is asked for and not required: a password goes as before.
    const { stdout } = await curl(pop3s("1"), ["--cert", file("stranger.pem")]);
    expect(stdout.toString()).toBe(asRetrieved);
  });
});

describe("openssl s_client", () => {
  const args = (...more: string[]) => [
    "s_client",
    "-brief",
    "-CAfile",
    file("authority.pem"),
    "-verify_return_error",
    ...more,
  ];

  it.each([
    { how: "POP3S", more: () => ["-connect", `127.0.0.1:${server.tlsPort}`] },
    { how: "STLS", more: () => ["-connect", `127.0.0.1:${server.port}`, "-starttls", "pop3"] },
  ])("verifies the whole chain by $how, and talks", async ({ more }) => {
    const { stdout, stderr } = await runProgram("openssl", [...args(...more()), "-quiet"], {
      input: `USER ${user}\r\nPASS secret\r\nSTAT\r\nQUIT\r\n`,
    });
    expect(stderr).toMatch(/^Verification: OK$/m);
    expect(stdout.toString()).toContain(`+OK 1 ${asRetrieved.length}\r\n`);
    expect(stdout.toString()).toContain("signing off (1 messages left)\r\n");
  });
});

describe("Python's poplib", () => {
  it.each([
    {
      how: "POP3_SSL",
      connect: () => `poplib.POP3_SSL("localhost", ${server.tlsPort}, context=context, timeout=60)`,
    },
    { how: "stls()", connect: () => `poplib.POP3("localhost", ${server.port}, timeout=60)\nc.stls(context)` },
  ])("retrieves with $how", async ({ connect }) => {
    const script = `import poplib, ssl
context = ssl.create_default_context(cafile="${file("authority.pem")}")
c = ${connect()}
assert "STLS" not in c.capa()
c.user("${user}"); c.pass_("secret")
print(b"\\n".join(c.retr(1)[1]).decode())
c.quit()
`;
    const { exitCode, stdout, stderr } = await runProgram("python3", ["-"], { input: script });
    expect(exitCode, stderr).toBe(0);
    expect(stdout.toString()).toBe(message.toString());
  });
});

describe("fetchmail", () => {
  it.each([
    { how: "POP3S", port: () => server.tlsPort, ssl: "ssl" },
    { how: "STLS", port: () => server.port, ssl: "sslproto tls1.2+" },
  ])("fetches by $how, with the certificate checked", async ({ how, port, ssl }) => {
    const home = mkdtempSync(join(folder, "fetchmail-"));
    const control = join(home, "fetchmailrc");
    mkdirSync(join(home, "inbox"));
    writeFileSync(
      control,
      `set invisible
set no bouncemail
set no syslog
poll localhost service ${port()} protocol pop3 uidl auth password timeout 60
  user "${user}" there with password "secret" is nobody here
  no rewrite keep ${ssl} sslcertck sslcertfile "${file("authority.pem")}"
  mda "/bin/sh -c 'cat > ${join(home, "inbox/message")}'"
`,
      { mode: 0o600 },
    );
    const result = await runProgram(
      "fetchmail",
      ["-v", "--fetchmailrc", control, "--idfile", join(home, "ids"), "--pidfile", join(home, "pid")],
      { env: { HOME: home, FETCHMAILHOME: home } },
    );
    const said = `${result.stdout}${result.stderr}`;
    expect(result.exitCode, said).toBe(0);
    expect(readFileSync(join(home, "inbox/message"), "latin1")).toBe(message.toString());
    expect(said).toMatch(/SSL\/TLS: using protocol TLSv1\.[23]/);
    if (how === "STLS") expect(said).toMatch(/POP3> STLS/);
  });
});
