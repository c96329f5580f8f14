// Random sessions on us and on Dovecot, over identical Maildirs: statuses, bodies, sizes, unique-ids and the Maildir
// afterwards agree, but for what is explained below. A fault names its seed: DEWEY_DIFFERENTIAL_SEED plays that batch again,
// DEWEY_DIFFERENTIAL_SESSIONS runs for longer.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Dovecot, startDovecot } from "./support/dovecot.ts";
import { copyFolder, layOutMaildir, readMaildir } from "./support/maildir.ts";
import { corpusMessages, generatedMessages, plainMessage } from "./support/messages.ts";
import { Random, type RandomSession, randomMaildir, randomSession } from "./support/random-sessions.ts";
import { login, type RecordedReply, runScript, sessionOver } from "./support/scripted-session.ts";

/** Sessions one after the other on the same Maildirs. */
const BATCH = 8;
const sessions = Number(process.env["DEWEY_DIFFERENTIAL_SESSIONS"] ?? 6 * BATCH);
const firstSeed = Number(process.env["DEWEY_DIFFERENTIAL_SEED"] ?? 1);

/** Lines that the two answer differently, each on purpose. */
const EXPLAINED: readonly {
  readonly line: RegExp;
  readonly ours: RecordedReply["status"];
  readonly dovecots: RecordedReply["status"];
  readonly because: string;
}[] = [
  {
    line: /^(?:STAT|NOOP) 1$/,
    ours: "-ERR",
    dovecots: "+OK",
    because: "RFC 1939 §5: they have no arguments",
  },
  { line: /^LIST {2}1$/, ours: "-ERR", dovecots: "+OK", because: "RFC 1939 §3: a single space" },
];

const owner = mailOwner();
let folder: string;
let ours: { readonly server: TestServer; readonly home: string };
let theirs: { readonly server: Dovecot; readonly home: string };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-differential-"));
  chmodSync(folder, 0o755);
  const homes = { ours: join(folder, "ours"), theirs: join(folder, "theirs") };
  const accounts = (home: string) => [
    { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home },
  ];
  // Dovecot knows nothing of RFC 6858.
  const settings = { mail: { utf8_headers: "as-stored" } };
  ours = { server: await startServer({ accounts: accounts(homes.ours), owner, settings }), home: homes.ours };
  theirs = { server: await startDovecot({ accounts: accounts(homes.theirs), owner }), home: homes.theirs };
});
afterAll(async () => {
  await ours?.server.stop();
  await theirs?.server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(side: typeof ours | typeof theirs, { script, end }: RandomSession) {
  const replies = await runScript(side.server.port, join(side.home, "Maildir"), [...login, ...script], end);
  if (end === "drop") await sessionOver(side.server.port);
  const left = readMaildir(join(side.home, "Maildir"));
  return { replies, left: left.map(({ baseName, flags }) => ({ baseName, flags })) };
}

/** A server may still write what it has learned. */
async function remove(home: string): Promise<void> {
  await eventually(`${home} is removed`, async () => {
    try {
      rmSync(home, { recursive: true, force: true });
      return true;
    } catch {
      return false;
    }
  });
}

function baseNames(left: readonly { readonly baseName: string }[]): readonly string[] {
  return left.map(({ baseName }) => baseName);
}

function isExplained(reply: RecordedReply, dovecots: RecordedReply | undefined): boolean {
  return EXPLAINED.some(
    ({ line, ours, dovecots: theirStatus }) =>
      line.test(reply.sent) && reply.status === ours && dovecots?.status === theirStatus,
  );
}

// Each with its last line's end, as MTAs deliver them. Where that is missing, the CRLF that is sent for it counts with us,
// because RFC 1939 §11 counts what is sent, and not with Dovecot.
const strange = [...generatedMessages(), ...corpusMessages()].map(({ bytes }) =>
  bytes.at(-1) === 0x0a ? bytes : Buffer.concat([bytes, Buffer.from("\n")]),
);
/** As many plain ones: with strange ones alone a session takes long. */
const pool = [...strange, ...strange.map((_, serial) => plainMessage(serial, 300 + 7 * serial))];
const batches = Array.from({ length: Math.ceil(sessions / BATCH) }, (_, index) => firstSeed + index);

it.each(batches)("seed %i: random sessions end alike", async (seed) => {
  const random = new Random(seed);
  const files = randomMaildir(random, pool);
  for (const { home } of [ours, theirs]) {
    await remove(home);
    layOutMaildir(home, owner, files);
  }
  let count = files.size;
  for (let number = 1; number <= BATCH && count > 0; number++) {
    const session = randomSession(random, count);
    const [our, their] = await Promise.all([run(ours, session), run(theirs, session)]);
    const where = `session ${number} of ${count} messages: ${JSON.stringify(session)}`;
    our.replies.forEach((reply, index) => {
      const dovecots = their.replies[index];
      if (!isExplained(reply, dovecots)) expect(reply, where).toEqual(dovecots);
    });
    if (session.retrieves && (session.end === "drop" || session.resets)) {
      // RFC 1939 §6: without QUIT there is no UPDATE state, but Dovecot marks what was retrieved as seen; and §5: RSET
      // unmarks what is deleted, but Dovecot also forgets what was retrieved. The two go on from one state.
      expect(baseNames(our.left), where).toEqual(baseNames(their.left));
      await remove(theirs.home);
      await copyFolder(ours.home, theirs.home);
    } else expect(our.left, where).toEqual(their.left);
    count = our.left.length;
  }
});
