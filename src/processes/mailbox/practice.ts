// What opens a large maildrop, done a few times on one that does not exist: V8 compiles a loop only when it has run for a
// while, and until then the first clients of a process that was just started would wait several times as long. Begun by
// processes that serve many accounts, when they start; in steps, between which clients are served.
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CUR, type FolderStamp } from "../../maildir/list/folders.ts";
import { formatIndex, parseIndex } from "../../maildir/list/index-format.ts";
import { MessageList } from "../../maildir/list/message-list.ts";
import type { MessagePlaces } from "../../maildir/list/message-places.ts";
import { maildropSettings } from "../../maildir/maildrop-options.ts";
import { readShortFile } from "../../maildir/message.ts";
import { measureMessages } from "../../maildir/sizes/measure.ts";
import { NO_CHOICES } from "../../pop3/choices.ts";
import { type TransactionOptions, TransactionState } from "../../pop3/transaction-state.ts";

/** Some 150 ms of CPU time in all. */
const ROUNDS = 12;
const MESSAGES = 500;

/** @returns the last answer to STAT */
export async function practise(): Promise<string> {
  const names = Array.from({ length: MESSAGES }, (_, index) => nameOf(index));
  let answer = "";
  for (let round = 0; round < ROUNDS; round++) {
    await nextTurn();
    answer = await openOnce(names);
  }
  return answer;
}

async function openOnce(names: readonly string[]): Promise<string> {
  const listed = MessageList.fromListing(
    names,
    names.map(() => CUR),
  );
  listed.learnFromNames();
  await measureMessages({
    list: listed,
    places: PLACES,
    settings: SETTINGS,
    toldCheckMs: 0,
    readNow: (index, buffer) => {
      // Whatever stands in it: what is compiled is the way to it.
      if (index % 4 === 0) readShortFile(OWN_FILE, buffer);
      return MESSAGE;
    },
    shouldStop: () => false,
    onCounted: () => {},
  });
  const parsed = parseIndex(Buffer.concat([...formatIndex(listed, [STAMP, STAMP])]));
  if (parsed.kind !== "index") return parsed.reason;
  const { list } = parsed;
  list.learnFrom(listed);
  const maildrop = {
    count: list.count,
    measured: true,
    octets: (index: number) => list.sizes.octets(index),
    totalOctets: list.sizes.totalOctets,
    uniqueId: (index: number) => list.uniqueId(index),
  };
  const outcome = new TransactionState(maildrop, OPTIONS).handle({ kind: "line", text: "STAT" });
  return outcome.kind === "reply" ? outcome.text : outcome.kind;
}

const OPTIONS: TransactionOptions = {
  serverName: "",
  language: "en",
  choices: NO_CHOICES,
  capabilities: { mechanisms: [], passwordAllowed: false, implementation: "" },
  maxUselessCommands: 1,
};

/** As Postfix gives them, in order of delivery. */
function nameOf(index: number): string {
  return `${1_276_533_073 + index}.Vfe00I${(index * 7919).toString(16)}M${(index * 618_033) % 1_000_000}.kurkku:2,S`;
}

const MESSAGE = Buffer.from("Subject: practice\n\nOne line.\n", "latin1");
const STAMP: FolderStamp = { dev: 1n, ino: 1n, mtimeNs: 0n, ctimeNs: 0n, birthtimeNs: 0n };
const OWN_FILE = fileURLToPath(import.meta.url);
const SETTINGS = maildropSettings({});
/** Every message is read at once, so that none is looked for. */
const PLACES: MessagePlaces = {
  maildir: "",
  place: () => ({ folder: CUR, name: "" }),
  refind: async () => false,
  moved: () => {},
};
