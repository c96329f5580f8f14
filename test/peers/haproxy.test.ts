// A real HAProxy in front: TLS ended there and told by PP2_TYPE_SSL, TLS passed through, STLS passed through, with PROXY
// headers of both versions, and HAProxy's own checks.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { countedBy } from "../support/pop3-ctl.ts";
import {
  type ProgramResult,
  type RunningProgram,
  runOrThrow,
  runProgram,
  startProgram,
} from "../support/program.ts";
import { readmeBlock } from "../support/readme.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { acceptsConnections } from "./support/connect.ts";
import { layOutMaildir } from "./support/maildir.ts";

const owner = mailOwner();
const frontends = [
  { name: "ended", bind: "ssl crt PEM", backend: "plain", server: "send-proxy-v2-ssl-cn" },
  { name: "through1", bind: "", backend: "tls", server: "send-proxy" },
  { name: "through2", bind: "", backend: "tls", server: "send-proxy-v2 proxy-v2-options crc32c,unique-id" },
  { name: "stls1", bind: "", backend: "plain", server: "send-proxy" },
  { name: "stls2", bind: "", backend: "plain", server: "send-proxy-v2 proxy-v2-options crc32c" },
] as const;
type Frontend = (typeof frontends)[number]["name"];

let folder: string;
let server: TestServer;
let haproxy: RunningProgram;
let certificate: MadeCertificate;
/** HAProxy's own socket. */
let statistics: string;
/** Of our server: TLS behind a PROXY header. */
let proxiedTlsPort: number;
const ports = new Map<Frontend, number>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-haproxy-"));
  chmodSync(folder, 0o755);
  statistics = join(folder, "statistics");
  certificate = await makeCertificate({
    names: [
      { type: "dns", value: "localhost" },
      { type: "ip", value: "127.0.0.1" },
    ],
  });
  const pem = join(folder, "haproxy.pem");
  writeFileSync(pem, certificate.certificate + certificate.privateKey, { mode: 0o600 });
  writeFileSync(join(folder, "ca.pem"), certificate.certificate);
  const [plain, tls] = [await freePort(), await freePort()];
  proxiedTlsPort = tls;
  const home = join(folder, "home");
  layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("Subject: one\n\none\n")]]));
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    certificates: [certificate],
    settings: {
      server: {
        listen_proxy: [`127.0.0.1:${plain}`],
        listen_tls_proxy: [`127.0.0.1:${tls}`],
        proxy_networks: ["127.0.0.1"],
        proxy_ends_tls: true,
      },
      auth: { plaintext_without_tls: "never" },
    },
  });
  const sections: string[] = [];
  for (const { name, bind, backend, server: options } of frontends) {
    const port = await freePort();
    ports.set(name, port);
    const target = backend === "plain" ? plain : tls;
    sections.push(`listen ${name}
  bind 127.0.0.1:${port} ${bind.replace("PEM", pem)}
  unique-id-format %[uuid()]
  server dewey 127.0.0.1:${target} ${options} check inter 300ms check-send-proxy ${backend === "tls" ? "check-ssl verify none" : ""}
`);
  }
  const config = join(folder, "haproxy.cfg");
  writeFileSync(
    config,
    `global
  stats socket ${statistics}

defaults
  mode tcp
  timeout connect 10s
  timeout check 10s
  timeout client 60s
  timeout server 60s

${sections.join("\n")}`,
  );
  haproxy = await startProgram("/usr/sbin/haproxy", ["-db", "-f", config]);
  for (const port of ports.values())
    await eventually("HAProxy accepts connections", () => acceptsConnections(port));
});
afterAll(async () => {
  // It ends at once at SIGTERM, by a signal or with 143.
  await haproxy?.stop("SIGTERM");
  await server?.stop();
  rmSync(folder, { recursive: true });
});

it("takes the lines of etc/SCALING.md, and passes TLS on to a port that expects its header", async () => {
  // Ports below 1024 are others' here.
  const [front, back] = [await freePort(), proxiedTlsPort];
  const lines = readmeBlock("haproxy").replace(":995", `127.0.0.1:${front}`).replace(":10995", `:${back}`);
  expect(lines).toContain(`127.0.0.1:${front}\n  server dewey 127.0.0.1:${back} `);
  const config = join(folder, "readme.cfg");
  const timeouts = "defaults\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n\n";
  writeFileSync(config, `${timeouts}${lines}`);
  await runOrThrow("/usr/sbin/haproxy", ["-c", "-f", config]);
  const program = await startProgram("/usr/sbin/haproxy", ["-db", "-f", config]);
  try {
    await eventually("a message through it", async () => {
      const { exitCode } = await runProgram("curl", [
        ...["--silent", "--insecure", "--user", "mrose:secret", `pop3s://127.0.0.1:${front}/1`],
      ]);
      return exitCode === 0;
    });
  } finally {
    await program.stop("SIGTERM");
  }
});

/** How each backend's last check ended, as HAProxy's statistics have it. */
async function lastChecks(): Promise<ReadonlyMap<string, string>> {
  const socket = connect(statistics);
  socket.end("show stat\n");
  const [header = "", ...rows] = (await text(socket)).trimEnd().split("\n");
  const names = header.replace(/^# /, "").split(",");
  const [frontend, name, status] = ["pxname", "svname", "check_status"].map((each) =>
    names.indexOf(each),
  ) as [number, number, number];
  const servers = rows.map((row) => row.split(",")).filter((row) => row[name] === "dewey");
  return new Map(servers.map((row) => [row[frontend]!, row[status]!]));
}

/** From an address of its own on the loopback interface, so that it can be told from HAProxy's. */
function curl(
  frontend: Frontend,
  scheme: "pop3" | "pop3s",
  from: string,
  args: readonly string[] = [],
): Promise<ProgramResult> {
  return runProgram(
    "curl",
    [
      ...["--silent", "--show-error", "--verbose", "--config", "-", "--interface", from, ...args],
      `${scheme}://localhost:${ports.get(frontend)}/1`,
    ],
    { input: `user = "mrose:secret"\ncacert = "${join(folder, "ca.pem")}"\nipv4\n` },
  );
}

describe("behind HAProxy", () => {
  it.each([
    { frontend: "ended", scheme: "pop3s", args: [], from: "127.0.0.11" },
    { frontend: "through1", scheme: "pop3s", args: [], from: "127.0.0.12" },
    { frontend: "through2", scheme: "pop3s", args: [], from: "127.0.0.13" },
    { frontend: "stls1", scheme: "pop3", args: ["--ssl-reqd"], from: "127.0.0.14" },
    { frontend: "stls2", scheme: "pop3", args: ["--ssl-reqd"], from: "127.0.0.15" },
  ] as const)("$frontend: the client is served over TLS, and known by its own address", async (its) => {
    const { exitCode, stdout, stderr } = await curl(its.frontend, its.scheme, its.from, its.args);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.toString()).toBe("Subject: one\r\n\r\none\r\n");
    const line = await eventually("the session in the log", () =>
      server.log().find(({ msg, address }) => msg === "session ended" && address === its.from),
    );
    expect(line).toMatchObject({ tls: expect.stringMatching(/^TLSv1\.3/), reason: "quit" });
  });

  it("a client without TLS is not taken for one with it", async () => {
    const { exitCode, stderr } = await curl("stls2", "pop3", "127.0.0.16");
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/^> CAPA/m);
    expect(stderr).not.toMatch(/^> (?:USER|PASS|AUTH PLAIN|AUTH LOGIN)/m);
  });

  it("its own checks are no connections to complain about", async () => {
    const arrived = async () => (await countedBy(server, "connections"))[""]!;
    const before = await arrived();
    // Nobody else comes now, and each backend is checked once in an interval.
    await eventually("three checks of each backend", async () => {
      return (await arrived()) > before + 3 * frontends.length;
    });
    // "* " while the next one is under way.
    const checks = await lastChecks();
    expect([...checks.keys()]).toEqual(frontends.map(({ name }) => name));
    for (const [frontend, status] of checks) expect(status, frontend).toMatch(/^(?:\* )?L[46]OK$/);
    expect(haproxy.output()).not.toMatch(/is DOWN/);
    expect(server.log().filter(({ msg }) => msg === "connection did not arrive")).toEqual([]);
    expect(await countedBy(server, "proxies_refused")).toEqual({});
  });
});
