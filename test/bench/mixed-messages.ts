// What a mailbox really holds, by size and by shape: 50 messages of 4 KB to 5 MB, 11 MB together. Most messages are small,
// most octets are in a few attachments:
//
//   28 × 4–15 KB        multipart/alternative, text and HTML
//   12 × 20–90 KB       the same, a newsletter
//    6 × 100–400 KB     with an attachment, base64 in lines of 76
//    3 × 0.7–1.8 MB     the same
//    1 × 5 MB           the same
//
// The order is mixed, too: a large one comes now and then. No line begins with a dot (driver-connection.ts).

/** Bytes as stored, by message. */
export const mixSizes: readonly number[] = mixed([
  ...spread(28, 4_000, 15_000),
  ...spread(12, 20_000, 90_000),
  ...spread(6, 100_000, 400_000),
  ...spread(3, 700_000, 1_800_000),
  5_000_000,
]);
export const mixedBytes = mixSizes.reduce((sum, size) => sum + size, 0);
const attachmentFrom = 100_000;

/** @param serial from 1 */
export function mixedMessage(serial: number): Buffer {
  const size = mixSizes[serial - 1]!;
  const hasAttachment = size >= attachmentFrom;
  const type = hasAttachment ? "mixed" : "alternative";
  const head = `Received: from mx.client.test by mx.bench.test with ESMTPS id ${serial}; Mon, 24 Nov 2025 03:00:00 +0000
From: "Sender ${serial}" <sender${serial}@client.test>
To: <mrose@bench.test>
Subject: message ${serial} of the mix
Date: Mon, 24 Nov 2025 03:00:00 +0000
Message-ID: <${serial}.mix@client.test>
MIME-Version: 1.0
Content-Type: multipart/${type}; boundary="b${serial}"

`;
  const text = part(serial, "text/plain; charset=utf-8", "8bit", filled(1_000, prose));
  const end = `--b${serial}--\n`;
  const [contentType, encoding, line] = hasAttachment
    ? ["application/pdf; name=report.pdf", "base64", base64Line]
    : ["text/html; charset=utf-8", "quoted-printable", htmlLine];
  const empty = part(serial, contentType, encoding, "");
  const room = size - Buffer.byteLength(head + text + empty + end);
  return Buffer.from(head + text + part(serial, contentType, encoding, filled(room, line)) + end);
}

const prose = "Grüße aus Köln. The quick brown fox jumps over the lazy dog, still.\n";
const htmlLine = '<p style=3D"margin:0">The quick brown fox jumps over the lazy dog, and =\n';
const base64Line = `${Buffer.from(Array.from({ length: 57 }, (_, index) => (index * 37 + 11) & 0xff)).toString("base64")}\n`;

function part(serial: number, contentType: string, encoding: string, body: string): string {
  return `--b${serial}\nContent-Type: ${contentType}\nContent-Transfer-Encoding: ${encoding}\n\n${body}`;
}

/** Exactly so many bytes of whole lines, the last one cut to fit and ended. */
function filled(bytes: number, line: string): string {
  if (bytes === 0) return "";
  const whole = Math.floor((bytes - 1) / Buffer.byteLength(line));
  const rest = bytes - whole * Buffer.byteLength(line);
  return `${line.repeat(whole)}${"x".repeat(rest - 1)}\n`;
}

function spread(count: number, least: number, most: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Math.round(least + ((most - least) * index) / (count - 1)),
  );
}

/** Always the same order, in which neighbours have nothing to do with each other. */
function mixed(sizes: readonly number[]): readonly number[] {
  return sizes.map((_, index) => sizes[(index * 17 + 5) % sizes.length]!);
}
