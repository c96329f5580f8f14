// Messages for the peers' tests: made here, each shaped to break a careless server, and, where it stands beside the
// checkout, a folder of real ones. All survive SMTP, so that they can be sent through a real mail server.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { survivesSmtp } from "./smtp.ts";

export interface NamedMessage {
  readonly name: string;
  /** Lines end in LF. */
  readonly bytes: Buffer;
}

/** About twenty messages, the largest of 3 MB. */
export function generatedMessages(): readonly NamedMessage[] {
  const shapes: Readonly<Record<string, string | Buffer>> = {
    "one line": "Hello.\n",
    "no body": "",
    "an empty line as body": "\n",
    "empty lines at the end": "Text.\n\n\n\n\n",
    "lines that begin with dots": ".\n..\n...\n.x\n. \n..x\n.\n",
    "a dot as the last line": "Text.\n.\n",
    "what ends a message, quoted": "\n.\nQUIT\n.\n\n",
    "lines that look like commands and replies": "+OK\n-ERR\nRETR 1\nQUIT\n",
    "From lines of an mbox": "From someone Mon Jan  1 00:00:00 2024\n\n>From quoted\n",
    "8-bit octets": Buffer.concat([Buffer.from(every8BitOctet), Buffer.from("\n")]),
    "UTF-8": "Grüße aus Köln, 日本語, \u{1f4ec}\n".repeat(20),
    "control characters": "\x01\x02\x07\x08\x0b\x0c\x1b[31m\x7f\n",
    "trailing spaces and tabs": "text \nmore\t\n \n\t\nend  \n",
    "lines of 998 octets": `${`${"x".repeat(998)}\n`.repeat(5)}.${"y".repeat(997)}\n`,
    "a thousand empty lines": "\n".repeat(1000),
    "a thousand lines that are a dot": ".\n".repeat(1000),
    "quoted-printable": "A soft line break=\nand =2E=0D=0A\n",
    "a MIME message with attachment": mimeBody(60_000),
    "3 MB of base64": mimeBody(2_200_000),
  };
  return Object.entries(shapes).map(([name, body], index) => ({
    name,
    bytes: Buffer.concat([Buffer.from(header(name, index)), Buffer.from(body)]),
  }));
}

/** Plain messages of exactly the given size in bytes as stored, LF line ends counted; at least 200. */
export function plainMessage(serial: number, bytes: number): Buffer {
  const head = header(`message ${serial}`, serial);
  const line = "The quick brown fox jumps over the lazy dog, and the mail still has to be fetched.\n";
  const room = bytes - Buffer.byteLength(head);
  const text = line.repeat(Math.ceil(room / line.length)).slice(0, room - 1);
  return Buffer.from(`${head}${text}\n`);
}

/** The real messages at ../shared/corpus beside the checkout that survive SMTP; empty where there is no such folder. */
export function corpusMessages(): readonly NamedMessage[] {
  const root = join(dirname(fileURLToPath(import.meta.url)), "../../../../shared/corpus");
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "README.md")
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ name: path.slice(root.length + 1), bytes: readFileSync(path) }))
    .filter(({ bytes }) => survivesSmtp(bytes));
}

const every8BitOctet = Array.from({ length: 128 }, (_, index) => 128 + index);

function header(subject: string, serial: number): string {
  return [
    `From: "Sender ${serial}" <sender${serial}@client.test>`,
    "To: <mrose@virtual.test>",
    `Subject: ${subject}`,
    "Date: Mon, 24 Nov 2025 03:00:00 +0000",
    `Message-ID: <${serial}.peers@client.test>`,
    "",
    "",
  ].join("\n");
}

/** The header that comes before it is plain, so this is a MIME-shaped body only; a server carries it all the same. */
function mimeBody(octets: number): string {
  const content = Buffer.alloc(
    octets,
    (() => {
      const block = Buffer.alloc(251);
      for (let index = 0; index < block.length; index++) block[index] = (index * 37 + 11) & 0xff;
      return block;
    })(),
  );
  const lines = content.toString("base64").replace(/.{76}/g, "$&\n");
  return `--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n${lines}\n--b--\n`;
}
