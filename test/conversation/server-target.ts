// The built server, as separate processes, with mrose's Maildir laid out anew for each dialogue.
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { scramField } from "../support/scram-client.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Messages, UTF8_NAME, UTF8_PASSWORD } from "./dialogue.ts";
import { LaidOutMaildir } from "./laid-out-maildir.ts";
import type { Target, Wire } from "./run-dialogue.ts";
import { SocketWire } from "./socket-wire.ts";

export class ServerTarget implements Target {
  readonly #server: TestServer;
  readonly #home: string;
  readonly #maildir: LaidOutMaildir;
  readonly #authority: string;

  private constructor(server: TestServer, home: string, authority: string) {
    this.#authority = authority;
    this.#server = server;
    this.#home = home;
    this.#maildir = new LaidOutMaildir(join(home, "Maildir"), mailOwner());
  }

  static async start(processes: "separate" | "combined"): Promise<ServerTarget> {
    const owner = mailOwner();
    const home = mkdtempSync(join(tmpdir(), "dewey-conversation-"));
    if (process.getuid?.() === 0) chownSync(home, owner.uid, owner.gid);
    const certificate = await makeCertificate({ names: [{ type: "dns", value: "pop.example.org" }] });
    const server = await startServer({
      accounts: [
        { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home },
        { user: UTF8_NAME, password: UTF8_PASSWORD, uid: owner.uid, gid: owner.gid, home },
        // The same maildrop, by a password that only SCRAM and PLAIN can use.
        {
          user: "jpostel",
          password: "pencil",
          field: scramField("SHA-256", "pencil"),
          uid: owner.uid,
          gid: owner.gid,
          home,
        },
      ],
      owner,
      certificates: [certificate],
      settings: { server: { name: "dewey", processes }, auth: { failure_delay: "10ms" } },
    });
    return new ServerTarget(server, home, certificate.certificate);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    rmSync(this.#home, { recursive: true });
  }

  async reset(messages: Messages): Promise<void> {
    this.#maildir.reset(messages);
  }

  async connect(): Promise<Wire> {
    const endedBefore = this.#sessionsEnded();
    const wire = new SocketWire(connect({ host: "127.0.0.1", port: this.#server.port }));
    return {
      send: (octets) => wire.send(octets),
      line: () => wire.line(),
      secure: () => wire.secure(this.#authority),
      close: async () => {
        await wire.close();
        // A login ended a session only if it had begun: then the log says so once its lock is free.
        if (wire.isLoggedIn)
          await eventually("the session's end in the log", () => this.#sessionsEnded() > endedBefore);
      },
    };
  }

  fix(names: readonly string[]): void {
    this.#maildir.fix(names);
  }

  async messageNames(): Promise<readonly string[]> {
    return this.#maildir.messageNames();
  }

  #sessionsEnded(): number {
    return this.#server.log().filter(({ msg }) => msg === "session ended").length;
  }
}
