import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { formatIndex, parseIndex } from "../../../src/maildir/list/index-format.ts";
import { MessageList } from "../../../src/maildir/list/message-list.ts";
import { COUNTED, GUESSED, type Knowledge, TOLD, UNKNOWN } from "../../../src/maildir/list/message-sizes.ts";

const MESSAGES = 5;

function listed(): MessageList {
  const names = Array.from({ length: MESSAGES }, (_, index) => `${index + 1}.a.host`);
  return MessageList.fromListing(
    names,
    names.map(() => 1),
  );
}

function added(list: MessageList): {
  readonly total: number;
  readonly unknown: number;
  readonly told: number;
} {
  const indexes = Array.from({ length: list.count }, (_, index) => index);
  return {
    total: indexes.reduce((total, index) => total + list.sizes.octets(index), 0),
    unknown: indexes.filter((index) => list.sizes.knowledge(index) === UNKNOWN).length,
    told: indexes.filter((index) => list.sizes.knowledge(index) === TOLD).length,
  };
}

function kept({ sizes: { totalOctets, unknownCount, toldCount } }: MessageList): ReturnType<typeof added> {
  return { total: totalOctets, unknown: unknownCount, told: toldCount };
}

it("what a list keeps of its sizes is what they add up to, whatever becomes known in whatever order", () => {
  const knowledge = fc.constantFrom<Knowledge>(UNKNOWN, GUESSED, TOLD, COUNTED);
  const change = fc.record({ index: fc.nat(MESSAGES - 1), knowledge, bytes: fc.nat(1e9) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const list = listed();
      for (const { index, knowledge, bytes } of changes) {
        list.sizes.setOctets(index, knowledge, knowledge === UNKNOWN ? 0 : bytes, bytes);
        expect(kept(list)).toEqual(added(list));
      }
      const parsed = parseIndex(Buffer.concat([...formatIndex(list)]));
      if (parsed.kind !== "index") throw new Error(parsed.reason);
      expect(kept(parsed.list)).toEqual(added(parsed.list));
      const later = listed();
      later.learnFrom(parsed.list);
      expect(kept(later)).toEqual(added(later));
    }),
  );
});

it("an entry of a size that nobody knows adds nothing to the total, whatever an index says", () => {
  const list = listed();
  const stamp = { dev: 1n, ino: 1n, mtimeNs: 0n, ctimeNs: 0n, birthtimeNs: 0n };
  const text = Buffer.concat([...formatIndex(list, [stamp, stamp])]).toString("latin1");
  const parsed = parseIndex(withEnd(text.replace("\n0 0 u c 2.a.host", "\n7 7 u c 2.a.host")));
  if (parsed.kind !== "index") throw new Error(parsed.reason);
  expect(kept(parsed.list)).toEqual({ total: 0, unknown: MESSAGES, told: 0 });
  expect(parsed.list.sizes.octets(1)).toBe(0);
});

function withEnd(text: string): Buffer {
  const body = text.slice(0, text.lastIndexOf("end "));
  const checksum = crc32(Buffer.from(body, "latin1")).toString(16).padStart(8, "0");
  return Buffer.from(`${body}end ${MESSAGES} ${checksum}\n`, "latin1");
}
