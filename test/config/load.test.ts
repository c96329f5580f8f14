import { describe, expect, it } from "vitest";
import { formatFault, parseConfig } from "../../src/config/load.ts";

function faults(text: string): string[] {
  const result = parseConfig(text, "config.toml");
  return result.kind === "faulty" ? result.faults.map(formatFault) : [];
}

describe("config.toml", () => {
  it("has a default for every key", () => {
    const result = parseConfig("", "config.toml");
    expect(result).toMatchObject({
      kind: "config",
      config: {
        server: {
          listen: [{ host: "127.0.0.1", port: 110 }],
          processes: "separate",
          runtime_dir: "/run/dewey-pop3",
        },
        auth: { passwd_file: "/etc/dewey-pop3/passwd", plaintext_without_tls: "loopback" },
        mail: { maildir: "~/Maildir" },
        limits: { login_time: 180_000, idle_time: 600_000 },
        log: { level: "info" },
      },
    });
  });

  it("reads the contract's keys", () => {
    const result = parseConfig(
      `[server]
name = "dewey"
listen = ["127.0.0.1:110", "[::1]:110", "*:110"]
processes = "combined"
[mail]
maildir = "/var/mail/%d/%n"
user = "vmail"
group = 5000
[limits]
idle_time = "15m"`,
      "config.toml",
    );
    expect(result).toMatchObject({
      kind: "config",
      config: {
        server: {
          listen: [
            { host: "127.0.0.1", port: 110 },
            { host: "::1", port: 110 },
            { host: "::", port: 110 },
          ],
        },
        mail: { user: "vmail", group: "5000" },
        limits: { idle_time: 900_000 },
      },
    });
  });

  it("reads what becomes of messages", () => {
    const mail = (text: string) => {
      const result = parseConfig(`[mail]\n${text}`, "config.toml");
      return result.kind === "config" ? result.config.mail : result.faults.map(formatFault);
    };
    expect(mail("")).toMatchObject({ mark_seen: true, keep_deleted: 0, expire: null });
    expect(mail('mark_seen = false\nkeep_deleted = "7d"\nexpire = "30d"')).toMatchObject({
      mark_seen: false,
      keep_deleted: 7 * 86_400_000,
      expire: 30,
    });
    expect(mail('keep_deleted = "off"\nexpire = "never"')).toMatchObject({ keep_deleted: 0, expire: null });
    expect(mail('keep_deleted = "a week"\nexpire = "36h"')).toEqual([
      'config.toml:2: mail.keep_deleted: "a week": expected a duration such as "7d", or "off"',
      'config.toml:3: mail.expire: "36h": expected whole days such as "30d", or "never"',
    ]);
    expect(mail('expire = "0d"')).toEqual([
      'config.toml:2: mail.expire: "0d": expected whole days such as "30d", or "never"',
    ]);
  });

  it("refuses bounds that leave nobody's mail to be served", () => {
    expect(faults("[mail]\nfirst_uid = 5000\nlast_uid = 4000\n")).toEqual([
      "config.toml:3: mail.last_uid: must not be less than mail.first_uid, or nobody's mail is served",
    ]);
    expect(faults("[mail]\nfirst_gid = 60000\n")).toEqual([
      "config.toml:1: mail.last_gid: must not be less than mail.first_gid, or nobody's mail is served",
    ]);
  });

  it("names file, line and key of an unknown key, and suggests the nearest", () => {
    expect(faults('[server]\nname = "dewey"\nlistn = []\n')).toEqual([
      "config.toml:3: server.listn: unknown key, did you mean server.listen?",
    ]);
    expect(faults("\n[severs]\n")).toEqual(["config.toml:2: severs: unknown key, did you mean server?"]);
    expect(faults("[log]\nfrobnicate = 1\n")).toEqual([
      "config.toml:2: log.frobnicate: unknown key, known are: level, format",
    ]);
  });

  it("names every fault at once", () => {
    expect(
      faults(`[server]
listen = ["localhost:110"]
processes = "both"
[auth]
passwd_file = "passwd"
failure_delay = "soon"
[mail]
maildir = "Maildir/%x"
[limits]
useless_commands = 0`),
    ).toEqual([
      'config.toml:2: server.listen: "localhost:110" is no address, expected "127.0.0.1:110", "[::1]:110" or "*:110"',
      'config.toml:3: server.processes: expected one of "separate"|"combined"',
      "config.toml:5: auth.passwd_file: expected an absolute path",
      'config.toml:6: auth.failure_delay: "soon" is no duration, expected such as "10m", "90s" or "36h"',
      'config.toml:8: mail.maildir: expected an absolute path or one under "~"',
      "config.toml:8: mail.maildir: only %u, %n, %d and %% are replaced",
      expect.stringMatching(/^config\.toml:10: limits\.useless_commands: /),
    ]);
  });

  it("names the line of what is not TOML", () => {
    expect(faults('[server]\nname = "dewey\n')).toEqual([
      expect.stringMatching(/^config\.toml:[23]: not TOML: .*, is a " missing at its end\?$/),
    ]);
    expect(faults("[server]\nname = mail.example.org\n")).toEqual([
      'config.toml:2: not TOML: invalid value, texts stand in quotes: "…"',
    ]);
  });

  it("names the section that a key was written above", () => {
    expect(faults('passwd_file = "/a"\n')).toEqual([
      "config.toml:1: passwd_file: unknown key, it belongs below [auth]",
    ]);
  });

  it("says that a key is missing, and the numbers that it takes", () => {
    expect(faults('[tls]\ncertificate = "/a"\n')).toEqual(["config.toml:1: tls.private_key: it is missing"]);
    expect(faults("[limits]\nsessions = 0\n")).toEqual([
      "config.toml:2: limits.sessions: expected a number >=1",
    ]);
  });

  it("refuses what can't work: no address, a name that looks like APOP's, a socket path too long, TLS without a certificate", () => {
    expect(faults("[server]\nlisten = []\n")).toEqual([
      "config.toml:2: server.listen: no address to listen on",
    ]);
    expect(faults('[server]\nname = "<a@b>"\n')[0]).toContain("server.name");
    expect(faults(`[server]\nruntime_dir = "/${"d".repeat(90)}"\n`)[0]).toContain("too long for the sockets");
    expect(faults('[server]\nlisten_tls = ["127.0.0.1:995"]\n')).toEqual([
      "config.toml:2: server.listen_tls: POP3S needs tls.certificate and tls.private_key",
    ]);
    expect(faults('[tls]\ncertificate = ["/a", "/b"]\nprivate_key = "/c"\nciphers = "none:such"\n')).toEqual([
      "config.toml:4: tls.ciphers: OpenSSL knows no such list of ciphers",
    ]);
    expect(faults('[tls]\ncertificate = ["/a", "/b"]\nprivate_key = "/c"\n')).toEqual([
      "config.toml:3: tls.private_key: expected one for each certificate, in the same order: 2",
    ]);
    expect(faults('[server]\nlisten_proxy = ["127.0.0.1:1110"]\n')).toEqual([
      "config.toml:2: server.listen_proxy: name the proxies' addresses in server.proxy_networks",
    ]);
    expect(faults('[server]\nproxy_networks = ["10.0.0.0/33"]\n')).toEqual([
      'config.toml:2: server.proxy_networks: expected such as "192.0.2.0/24", "2001:db8::/32" or "192.0.2.1"',
    ]);
    expect(faults('[server]\nlisten = ["*:110"]\nrun_as = "starter"\n')).toEqual([
      'config.toml:3: server.run_as: "starter" is for loopback addresses only',
    ]);
  });

  it("takes an MTA's socket as a path, with an owner of its own, or several as a list", () => {
    const mta = (text: string) => {
      const result = parseConfig(`[mta]\n${text}`, "config.toml");
      return result.kind === "config" ? result.config.mta : result.faults.map(formatFault);
    };
    expect(mta('sasl_socket = "/a"')).toMatchObject({ sasl_socket: [{ path: "/a" }], socket_mode: 0o660 });
    expect(
      mta('sasl_socket = ["/a", { path = "/b", user = "exim", group = 7, mode = "0600" }]'),
    ).toMatchObject({
      sasl_socket: [{ path: "/a" }, { path: "/b", user: "exim", group: "7", mode: 0o600 }],
    });
    for (const bad of ['"relative"', '{ user = "exim" }', '["/a", 7]']) {
      expect(mta(`socketmap_socket = ${bad}`)).toEqual([
        'config.toml:2: mta.socketmap_socket: expected an absolute path of at most 107 bytes, or { path = "/…", user = "…", group = "…", mode = "0660" }, or a list of these',
      ]);
    }
  });

  it("names the table's line for a key in an inline table, and suggests its nearest", () => {
    expect(faults('[mta]\nsasl_socket = { path = "/a", owner = "exim" }')).toEqual([
      "config.toml:2: mta.sasl_socket.owner: unknown key, known are: path, user, group, mode",
    ]);
    expect(faults('[mta]\npostfix_maps = { folder = "/a", typ = "hash" }')).toEqual([
      "config.toml:2: mta.postfix_maps.typ: unknown key, did you mean mta.postfix_maps.type?",
    ]);
    expect(faults('[mta]\npostfix_maps = { folder = "/a", type = "dbm" }')).toEqual([
      'config.toml:2: mta.postfix_maps.type: expected one of "hash"|"btree"|"lmdb"|"cdb"|"texthash"',
    ]);
  });

  it("says when the file cannot be read", async () => {
    const { loadConfig } = await import("../../src/config/load.ts");
    const result = loadConfig("/nonexistent/config.toml");
    expect(result.kind === "faulty" && result.faults.map(formatFault)).toEqual([
      "/nonexistent/config.toml: cannot read it (ENOENT): pop3-ctl setup writes one, --config names another",
    ]);
  });
});
