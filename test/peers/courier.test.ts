// Courier serves a Maildir from the harness's own configuration, with and without TLS: the bench and migrations build on it.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { mailOwner } from "../support/mail-owner.ts";
import { type Courier, startCourier } from "./support/courier.ts";
import { asSent, layOutMaildir } from "./support/maildir.ts";
import { plainMessage } from "./support/messages.ts";
import { Pop3Connection } from "./support/pop3.ts";

const message = plainMessage(1, 500);
let folder: string;
let courier: Courier;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-beside-courier-"));
  chmodSync(folder, 0o755);
  const owner = mailOwner();
  const home = join(folder, "mrose");
  layOutMaildir(home, owner, new Map([["cur/1700000000.M1P1.mx:2,S", message]]));
  const account = { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home };
  courier = await startCourier({ accounts: [account], certificate: await makeCertificate() });
});
afterAll(async () => {
  await courier?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function fetch(connection: Pop3Connection): Promise<Buffer | undefined> {
  expect((await connection.command("USER mrose")).status).toBe("+OK");
  expect((await connection.command("PASS secret")).status).toBe("+OK");
  const { body } = await connection.multiLine("RETR 1");
  expect((await connection.command("QUIT")).status).toBe("+OK");
  await connection.closed;
  return body;
}

it("fetches a message from Courier by POP3", async () => {
  const { connection } = await Pop3Connection.open(courier.port);
  expect(await fetch(connection)).toEqual(asSent(message));
});

it("fetches it by POP3S", async () => {
  const { connection } = await Pop3Connection.openTls(courier.tlsPort, { rejectUnauthorized: false });
  expect(await fetch(connection)).toEqual(asSent(message));
});
