// A client that downloads and deletes, session after session, while others work in the Maildir.
import { expect } from "vitest";
import { Pop3Connection } from "../../peers/support/pop3.ts";
import type { BusyMaildir } from "./busy-maildir.ts";

/** What the sessions delivered, by base name; counted when QUIT was answered with +OK. */
export class Downloads {
  readonly times = new Map<string, number>();
  /** RETR's answers for messages that another program had removed. */
  readonly gone: string[] = [];
  sessions = 0;
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** @returns how many messages were listed */
  async session(): Promise<number> {
    const session = await Pop3Connection.login(this.#port, "mrose", "secret");
    const listing = (await session.multiLine("UIDL")).body?.toString().trimEnd() ?? "";
    const lines = listing === "" ? [] : listing.split("\r\n");
    const got: string[] = [];
    for (const line of lines) {
      const [number, uniqueId] = line.split(" ") as [string, string];
      const reply = await session.multiLine(`RETR ${number}`);
      if (reply.status === "+OK") {
        expect(reply.body?.toString()).toBe(`X-Name: ${uniqueId}\r\n\r\n`);
        got.push(uniqueId);
      } else {
        expect(reply.text).toBe(`message ${number} was removed by another program`);
        this.gone.push(uniqueId);
      }
      expect((await session.command(`DELE ${number}`)).status).toBe("+OK");
    }
    expect(await session.command("QUIT")).toMatchObject({ status: "+OK" });
    await session.closed;
    for (const name of got) this.times.set(name, (this.times.get(name) ?? 0) + 1);
    this.sessions++;
    return lines.length;
  }
}

/** Runs sessions against a Maildir in use for so long, then until it is empty, and checks that nothing went wrong. */
export async function downloadForAWhile(
  port: number,
  busy: BusyMaildir,
  durationMs: number,
): Promise<Downloads> {
  const downloads = new Downloads(port);
  const end = performance.now() + durationMs;
  try {
    // On a host that is busy with other things a session may take seconds.
    while (performance.now() < end || downloads.sessions < 5) await downloads.session();
  } finally {
    await busy.stop();
  }
  while ((await downloads.session()) > 0);

  const twice = [...downloads.times].filter(([, times]) => times > 1);
  expect(twice, "delivered twice").toEqual([]);
  const lost = [...busy.delivered].filter((name) => !downloads.times.has(name) && !busy.deleted.has(name));
  expect(lost, "lost").toEqual([]);
  const wrongly = downloads.gone.filter((name) => !busy.deleted.has(name));
  expect(wrongly, "called removed, and were not").toEqual([]);
  return downloads;
}
