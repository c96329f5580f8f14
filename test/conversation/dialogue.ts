// Reads the dialogues of this folder: text files in the notation of RFC 1939's examples, which run against the pure
// session and against the real server.
//
//   # anything                 a comment
//   M: UID1 "octets"           a message of the maildrop before the dialogue (default: the two of the reference)
//   M:                         an empty maildrop
//   C: STAT                    the client sends a line; {a*300} stands for 300 times "a"
//   C> "STAT\r\nQUIT\r\n"      the client sends these octets in one packet, as a JSON string
//   S: +OK 2 320               the server says exactly this line; {a*300} as above
//   S> "+OK \u00c3\u00b6" the server says exactly these octets and CRLF, as a JSON string
//   S*9: text                  the server says this line nine times
//   C: {scram-first mrose}     SCRAM-SHA-256's messages, in base64; {scram-final secret} is the client's second one
//   S: + {scram-challenge}     the server's first message; {scram-proof} is its last one, and must prove the password
//   S-                         the server closes the connection
//   C-                         the client closes the connection
//   TLS                        both sides make the TLS handshake; what follows goes through it
//   ---                        a new connection to the same maildrop
//   M! UID1 UID2               something keeps these messages from being removed
//   M= UID2                    the maildrop now holds exactly these messages
import { readdirSync, readFileSync } from "node:fs";

/** An account that has mrose's maildrop, too. */
export const UTF8_NAME = "jürgen";
export const UTF8_PASSWORD = "пароль ü";

export type Step =
  | { readonly kind: "send"; readonly octets: string }
  | { readonly kind: "expect"; readonly line: string }
  | { readonly kind: "expect-close" }
  | { readonly kind: "close" }
  | { readonly kind: "secure" }
  | { readonly kind: "connect" }
  | { readonly kind: "fix"; readonly names: readonly string[] }
  | { readonly kind: "maildrop"; readonly names: readonly string[] };

/** File name → stored content, both as byte strings. */
export type Messages = ReadonlyMap<string, string>;

export interface Dialogue {
  readonly name: string;
  readonly messages: Messages;
  readonly steps: readonly (Step & { readonly lineNumber: number })[];
}

export function readDialogues(): Dialogue[] {
  const folder = new URL("./", import.meta.url);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".txt"))
    .sort()
    .map((file) => parseDialogue(file.slice(0, -4), readFileSync(new URL(file, folder), "utf8")));
}

export function parseDialogue(name: string, text: string): Dialogue {
  const messages = new Map<string, string>();
  let isEmpty = false;
  const steps: (Step & { lineNumber: number })[] = [];
  text.split("\n").forEach((line, index) => {
    const lineNumber = index + 1;
    if (line === "" || line.startsWith("#")) return;
    const message = /^M: (\S+) (".*")$/.exec(line);
    if (message !== null) {
      messages.set(message[1]!, JSON.parse(expand(message[2]!)) as string);
      return;
    }
    if (line === "M:") {
      isEmpty = true;
      return;
    }
    const [, times, repeated] = /^S\*([0-9]+)(:.*)$/.exec(line) ?? [];
    const step = parseStep(repeated === undefined ? line : `S${repeated}`);
    if (step === undefined) throw new Error(`${name}.txt:${lineNumber}: not a dialogue's line: ${line}`);
    for (let i = 0; i < Number(times ?? 1); i++) steps.push({ ...step, lineNumber });
  });
  return { name, messages: messages.size > 0 || isEmpty ? messages : referenceMessages, steps };
}

function parseStep(line: string): Step | undefined {
  if (line === "TLS") return { kind: "secure" };
  if (line === "---") return { kind: "connect" };
  if (line === "S-") return { kind: "expect-close" };
  if (line === "C-") return { kind: "close" };
  if (line === "M=") return { kind: "maildrop", names: [] };
  const [, mark, rest] = /^(C: ?|C> |S: ?|S> |M! |M= )(.*)$/.exec(line) ?? [];
  if (rest === undefined) return undefined;
  switch (mark?.trim()) {
    case "C:":
      return { kind: "send", octets: `${expand(rest)}\r\n` };
    case "C>":
      return { kind: "send", octets: JSON.parse(expand(rest)) as string };
    case "S>":
      return { kind: "expect", line: JSON.parse(expand(rest)) as string };
    case "S:":
      return { kind: "expect", line: expand(rest) };
    case "M!":
      return { kind: "fix", names: rest.split(" ") };
    case "M=":
      return { kind: "maildrop", names: rest.split(" ") };
    default:
      return undefined;
  }
}

/** {ab*3} → ababab */
function expand(text: string): string {
  return text.replace(/\{([^{}*]+)\*([0-9]+)\}/g, (_, repeated: string, times: string) =>
    repeated.repeat(Number(times)),
  );
}

// The two of the reference's session: 120 and 200 octets as sent.
const headers = "From: mrose@dbc.mtview.ca.us\nSubject: one\n\n";
const referenceMessages: Messages = new Map([
  ["UID1", `${headers}${"a".repeat(120 - headers.length - 3 - 2)}\n`],
  ["UID2", `${headers}${"b".repeat(200 - headers.length - 3 - 2)}\n`],
]);
