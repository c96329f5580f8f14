// The library's sessions over TCP, with STLS, the accounts of a passwd file and a Maildir: what its user would make of them.
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { openMaildir, PasswdAccounts, servePop3 } from "../../src/index.ts";
import { type Messages, UTF8_NAME, UTF8_PASSWORD } from "../conversation/dialogue.ts";
import { LaidOutMaildir } from "../conversation/laid-out-maildir.ts";
import type { Target, Wire } from "../conversation/run-dialogue.ts";
import { SocketWire } from "../conversation/socket-wire.ts";
import { writePasswdFile } from "../support/accounts.ts";
import { scramField } from "../support/scram-client.ts";

export class SocketTarget implements Target {
  readonly passwdFile: string;
  readonly #home: string;
  readonly #maildir: LaidOutMaildir;
  readonly #server: Server;
  /** The certificate, which is its own authority. */
  readonly authority: string;
  readonly #sessions: Promise<void>[];

  private constructor(home: string, server: Server, authority: string, sessions: Promise<void>[]) {
    this.passwdFile = join(home, "passwd");
    this.#home = home;
    this.#maildir = new LaidOutMaildir(join(home, "Maildir"));
    this.#server = server;
    this.authority = authority;
    this.#sessions = sessions;
  }

  static async start(): Promise<SocketTarget> {
    const home = mkdtempSync(join(tmpdir(), "dewey-library-"));
    const passwdFile = join(home, "passwd");
    const common = { uid: 1000, gid: 1000, home };
    await writePasswdFile(passwdFile, [
      { user: "mrose", password: "secret", ...common },
      { user: UTF8_NAME, password: UTF8_PASSWORD, ...common },
      { user: "jpostel", password: "pencil", field: scramField("SHA-256", "pencil"), ...common },
    ]);
    const { certificate, privateKey } = await makeCertificate({
      names: [{ type: "dns", value: "pop.example.org" }],
    });
    const tls = { cert: certificate, key: privateKey };
    const accounts = new PasswdAccounts(passwdFile);
    const sessions: Promise<void>[] = [];
    const server = createServer((socket) => {
      const { over } = servePop3(socket, {
        serverName: "dewey",
        failureDelayMs: 10,
        expireDays: "never",
        tls,
        accounts,
        open: async (account) => {
          const opened = await openMaildir(account.maildir()!);
          if (opened.kind === "open") return opened.maildrop;
          if (opened.kind === "locked") return "locked";
          throw new Error(opened.reason);
        },
      });
      sessions.push(over);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    return new SocketTarget(home, server, certificate, sessions);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await Promise.all(this.#sessions);
    rmSync(this.#home, { recursive: true });
  }

  async reset(messages: Messages): Promise<void> {
    this.#maildir.reset(messages);
  }

  async connect(): Promise<Wire> {
    const wire = new SocketWire(connect({ host: "127.0.0.1", port: this.port }));
    return {
      send: (octets) => wire.send(octets),
      line: () => wire.line(),
      secure: () => wire.secure(this.authority),
      close: async () => {
        await wire.close();
        await Promise.all(this.#sessions);
      },
    };
  }

  fix(names: readonly string[]): void {
    this.#maildir.fix(names);
  }

  async messageNames(): Promise<readonly string[]> {
    return this.#maildir.messageNames();
  }
}
