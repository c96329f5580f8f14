// What Postfix delivers is what our server sends: octet for octet, for both of Postfix's ways into a Maildir.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MailHost, password, startMailHost } from "./support/mail-host.ts";
import { asSent, namesAndFlags, readMaildir } from "./support/maildir.ts";
import { corpusMessages, generatedMessages } from "./support/messages.ts";
import { Pop3Connection } from "./support/pop3.ts";

let host: MailHost;

beforeAll(async () => {
  host = await startMailHost({ virtualUsers: ["mrose", "corpus", "deleting"], localUsers: ["carol"] });
});
afterAll(async () => await host?.stop());

/** Unique-id → message number, as UIDL tells. */
async function messageNumbers(connection: Pop3Connection): Promise<ReadonlyMap<string, number>> {
  const { body } = await connection.multiLine("UIDL");
  const lines = (body ?? Buffer.alloc(0)).toString("latin1").split("\r\n").slice(0, -1);
  return new Map(
    lines.map((line) => {
      const [number, uniqueId] = line.split(" ") as [string, string];
      return [uniqueId, Number(number)];
    }),
  );
}

describe.each([
  { user: "mrose", how: "virtual(8)" },
  { user: "carol", how: "local(8) with home_mailbox" },
])("messages delivered by $how", ({ user }) => {
  const messages = generatedMessages();

  it("come back octet for octet, under their file names, with the announced sizes", async () => {
    const files = await host.deliver(
      user,
      messages.map(({ bytes }) => bytes),
    );
    for (const { name, bytes } of messages) {
      const tail = files.filter((file) => file.bytes.subarray(-bytes.length).equals(bytes));
      expect(tail, `Postfix delivered "${name}" as it was sent`).toHaveLength(1);
    }

    const connection = await Pop3Connection.login(host.server.port, user, password);
    const totalOctets = files.reduce((sum, { bytes }) => sum + asSent(bytes).length, 0);
    expect((await connection.command("STAT")).text).toBe(`${files.length} ${totalOctets}`);
    const numbers = await messageNumbers(connection);
    expect([...numbers.keys()].sort()).toEqual(files.map(({ baseName }) => baseName).sort());
    for (const { baseName, bytes } of files) {
      const number = numbers.get(baseName);
      expect((await connection.command(`LIST ${number}`)).text).toBe(`${number} ${asSent(bytes).length}`);
      const { text, body } = await connection.multiLine(`RETR ${number}`);
      expect(text).toBe(`${asSent(bytes).length} octets`);
      expect(body?.equals(asSent(bytes)), `${baseName} unchanged`).toBe(true);
    }
    expect((await connection.command("QUIT")).status).toBe("+OK");
    await connection.closed;
  });

  it("stand in cur/ with flag S after they were retrieved, otherwise unchanged", () => {
    const files = readMaildir(host.maildir(user));
    expect(files).toHaveLength(messages.length);
    expect(new Set(files.map(({ folder, flags }) => `${folder} ${flags}`))).toEqual(new Set(["cur S"]));
    for (const { name, bytes } of messages) {
      const tail = files.filter((file) => file.bytes.subarray(-bytes.length).equals(bytes));
      expect(tail, name).toHaveLength(1);
    }
  });
});

describe("messages retrieved one after the other and deleted", () => {
  it("are gone after QUIT; what came meanwhile and what was not deleted stays", async () => {
    const files = await host.deliver(
      "deleting",
      generatedMessages()
        .slice(0, 6)
        .map(({ bytes }) => bytes),
    );
    const connection = await Pop3Connection.login(host.server.port, "deleting", password);
    const numbers = await messageNumbers(connection);
    const deleted = files.slice(0, 4);
    const kept = files.slice(4);
    for (const { baseName, bytes } of deleted) {
      const { body } = await connection.multiLine(`RETR ${numbers.get(baseName)}`);
      expect(body?.equals(asSent(bytes))).toBe(true);
      expect((await connection.command(`DELE ${numbers.get(baseName)}`)).status).toBe("+OK");
    }
    const [late] = await host.deliver("deleting", [generatedMessages()[0]!.bytes]);
    expect((await connection.command("QUIT")).text).toBe("dewey POP3 server signing off (2 messages left)");
    await connection.closed;
    expect(namesAndFlags(host.maildir("deleting"))).toEqual(
      [...kept, late!].map(({ baseName }) => `${baseName} `).sort(),
    );
  });
});

// The folder of real messages beside the checkout is not everywhere; its test exists where it does.
const corpus = corpusMessages();
if (corpus.length > 0) {
  it(`all ${corpus.length} real messages beside the checkout come back octet for octet`, async () => {
    const files = await host.deliver(
      "corpus",
      corpus.map(({ bytes }) => bytes),
    );
    const connection = await Pop3Connection.login(host.server.port, "corpus", password, { utf8: true });
    const numbers = await messageNumbers(connection);
    expect(numbers.size).toBe(corpus.length);
    for (const { baseName, bytes } of files) {
      const { body } = await connection.multiLine(`RETR ${numbers.get(baseName)}`);
      expect(body?.equals(asSent(bytes)), `${baseName} unchanged`).toBe(true);
    }
    await connection.command("QUIT");
  });
}
