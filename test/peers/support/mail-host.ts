// A whole mail host for one test file: a real Postfix that delivers into Maildirs, and our server that serves them,
// both with the same owner of all mail. Accounts are named by how Postfix delivers to them.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestAccount } from "../../support/accounts.ts";
import { eventually } from "../../support/eventually.ts";
import { mailOwner } from "../../support/mail-owner.ts";
import { type Settings, startServer, type TestServer } from "../../support/server.ts";
import { layOutMaildir, type MaildirFile, readMaildir } from "./maildir.ts";
import { localDomain, startPostfix, virtualDomain } from "./postfix.ts";
import { type Envelope, sendMail } from "./smtp.ts";

export const password = "correct horse 7%";

export interface MailHostOptions {
  /** Delivered to by virtual(8). */
  readonly virtualUsers: readonly string[];
  /** Delivered to by local(8) with home_mailbox. */
  readonly localUsers?: readonly string[];
}

export interface MailHost {
  readonly server: TestServer;
  /** The account's Maildir. */
  maildir(user: string): string;
  /** Sends the messages by SMTP, waits for Postfix to deliver them all, and returns their files. */
  deliver(
    user: string,
    messages: readonly Buffer[],
    envelope?: Partial<Envelope>,
  ): Promise<readonly MaildirFile[]>;
  /** Another server of ours for the same accounts and their mail, with a config of its own; it stops with the host. */
  serveAlso(settings: Settings): Promise<TestServer>;
  stop(): Promise<void>;
}

export async function startMailHost({ virtualUsers, localUsers = [] }: MailHostOptions): Promise<MailHost> {
  const owner = mailOwner();
  const mail = mkdtempSync(join(tmpdir(), "dewey-mail-"));
  chmodSync(mail, 0o755);
  const users = [...virtualUsers, ...localUsers];
  const maildirs = new Map(users.map((user) => [user, layOutMaildir(join(mail, user), owner)]));
  const maildir = (user: string): string => {
    const found = maildirs.get(user);
    if (found === undefined) throw new Error(`no account ${user} on this host`);
    return found;
  };
  const accounts = users.map(
    (user): TestAccount => ({ user, password, uid: owner.uid, gid: owner.gid, home: join(mail, user) }),
  );

  const stops: (() => Promise<void>)[] = [async () => rmSync(mail, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    const faults: unknown[] = [];
    for (const step of stops.splice(0).reverse()) await step().catch((fault) => faults.push(fault));
    if (faults.length > 0) throw new AggregateError(faults, faults.map(String).join("; "));
  };
  try {
    const postfix = await startPostfix({ owner, mail, virtualUsers, localUsers });
    stops.push(postfix.stop);
    const server = await startServer({ accounts, owner });
    stops.push(server.stop);
    return {
      server,
      maildir,
      async deliver(user, messages, envelope) {
        const before = new Set(readMaildir(maildir(user)).map(({ baseName }) => baseName));
        const domain = localUsers.includes(user) ? localDomain : virtualDomain;
        await sendMail(
          postfix.port,
          { from: "sender@client.test", to: [`${user}@${domain}`], ...envelope },
          messages,
        );
        const delivered = (): readonly MaildirFile[] =>
          readMaildir(maildir(user)).filter(({ baseName }) => !before.has(baseName));
        return await eventually(`${messages.length} messages delivered to ${user}`, () => {
          const files = delivered();
          return files.length === messages.length && files;
        }).catch((fault) => {
          throw new Error(`${fault.message}; Postfix said:\n${postfix.log()}`);
        });
      },
      async serveAlso(settings) {
        const other = await startServer({ accounts, owner, settings });
        stops.push(other.stop);
        return other;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
