// What a POP3 server tells of a maildrop before a client decides what to download: unique-ids, sizes and order.
import { Pop3Connection } from "./pop3.ts";

export interface Told {
  readonly uidl: string;
  readonly list: string;
}

export async function told(port: number, user: string): Promise<Told> {
  const session = await Pop3Connection.login(port, user, "secret");
  const body = async (command: string) => (await session.multiLine(command)).body?.toString("latin1") ?? "";
  const answers = { uidl: await body("UIDL"), list: await body("LIST") };
  await session.command("QUIT");
  return answers;
}
