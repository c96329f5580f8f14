// `pop3-ctl throttle list`: whom wrong passwords are counted against. `pop3-ctl throttle clear`: forgives.
import type { AnswerOf } from "../link/questions.ts";
import type { ServerLink } from "../link/server-link.ts";
import type { Printer } from "../terminal/printer.ts";
import { Refusal } from "../terminal/refusal.ts";
import { table } from "../terminal/table.ts";
import { duration } from "../terminal/units.ts";

type Entry = AnswerOf<"throttle">;

export async function listThrottle(server: ServerLink, printer: Printer): Promise<void> {
  const entries = (await server.ask({ kind: "throttle" })).map(({ answer }) => answer);
  entries.sort((a, b) => b.failures - a.failures || b.nextInMs - a.nextInMs);
  printer.result(
    entries,
    entries.length === 0 ? ["nobody is counted"] : throttleTable(entries, printer.columns),
  );
}

/** @param whom an account or an address; everybody if undefined */
export async function clearThrottle(
  server: ServerLink,
  printer: Printer,
  whom: string | undefined,
): Promise<void> {
  const [answered] = await server.ask({ kind: "throttle-clear", ...(whom !== undefined && { whom }) });
  if (answered === undefined) throw new Refusal("the auth process did not answer, see the server's log");
  const { cleared } = answered.answer;
  if (cleared === 0 && whom !== undefined) throw new Refusal(`nothing is counted against "${whom}"`);
  printer.result({ cleared }, [cleared === 1 ? "forgave 1 count" : `forgave ${cleared} counts`]);
}

export function throttleTable(entries: readonly Entry[], columns: number): string[] {
  return table(
    [
      { title: "ACCOUNT", least: 8 },
      { title: "ADDRESS", least: 12 },
      { title: "FAILURES", align: "right" },
      { title: "NEXT", align: "right" },
    ],
    entries.map(({ account, network, failures, nextInMs }) => [
      account ?? "(any)",
      network ?? "(any)",
      failures,
      nextInMs === 0 ? "now" : duration(nextInMs),
    ]),
    columns,
  );
}
