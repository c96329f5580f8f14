import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { ReadAhead } from "../../src/processes/mailbox/read-ahead.ts";

/** Of three messages, each of one octet, which is its index. @param reads indexes that were read, in order */
function maildropOf(reads: number[], count = 3) {
  return {
    count,
    readMessageNow(index: number, buffer: Uint8Array): Uint8Array | undefined {
      reads.push(index);
      buffer[0] = index;
      return buffer.subarray(0, 1);
    },
  };
}

test("an expected message is read before it is asked for, and once", async () => {
  const reads: number[] = [];
  const maildrop = maildropOf(reads);
  const readAhead = new ReadAhead();
  readAhead.expect(maildrop, 1);
  expect(reads).toEqual([]);
  await nextTurn();
  expect(reads).toEqual([1]);
  expect([...readAhead.read(maildrop, 1)!]).toEqual([1]);
  expect(reads).toEqual([1]);
  expect([...readAhead.read(maildrop, 1)!]).toEqual([1]);
  expect(reads).toEqual([1, 1]);
});

test("another message than the expected one is read, and the expected one stays whole", async () => {
  const maildrop = maildropOf([]);
  const readAhead = new ReadAhead();
  readAhead.expect(maildrop, 1);
  await nextTurn();
  expect([...readAhead.read(maildrop, 2)!]).toEqual([2]);
  expect([...readAhead.read(maildropOf([]), 1)!]).toEqual([1]);
  expect([...readAhead.read(maildrop, 1)!]).toEqual([1]);
});

test("a message that was asked for before its turn came is read there and then", async () => {
  const reads: number[] = [];
  const maildrop = maildropOf(reads);
  const readAhead = new ReadAhead();
  readAhead.expect(maildrop, 1);
  expect([...readAhead.read(maildrop, 1)!]).toEqual([1]);
  readAhead.expect(maildrop, 2);
  await nextTurn();
  expect(reads).toEqual([1, 2]);
});

test("behind the last message nothing is read, nor for a maildrop that is closed", async () => {
  const reads: number[] = [];
  const maildrop = maildropOf(reads);
  const readAhead = new ReadAhead();
  readAhead.expect(maildrop, 3);
  await nextTurn();
  readAhead.expect(maildrop, 2);
  readAhead.forget(maildrop);
  await nextTurn();
  expect(reads).toEqual([]);
});

test("what was read ahead is read again when the client comes late: the message may be gone", async () => {
  let nowMs = 0;
  const reads: number[] = [];
  const maildrop = maildropOf(reads);
  const readAhead = new ReadAhead(() => nowMs);
  readAhead.expect(maildrop, 1);
  await nextTurn();
  nowMs = 1_000;
  readAhead.read(maildrop, 1);
  expect(reads).toEqual([1, 1]);
});

test("a message that cannot be read at once is not waited for", async () => {
  const readAhead = new ReadAhead();
  const maildrop = { count: 3, readMessageNow: () => undefined };
  readAhead.expect(maildrop, 1);
  await nextTurn();
  expect(readAhead.read(maildrop, 1)).toBeUndefined();
});

test("two clients that come in turns have few messages read in vain", async () => {
  const [readsOfA, readsOfB]: [number[], number[]] = [[], []];
  const clients = [maildropOf(readsOfA, 1_000), maildropOf(readsOfB, 1_000)];
  const readAhead = new ReadAhead();
  for (let index = 0; index < 999; index++) {
    for (const maildrop of clients) {
      readAhead.read(maildrop, index);
      readAhead.expect(maildrop, index + 1);
      await nextTurn();
    }
  }
  const inVain = readsOfA.length + readsOfB.length - 2 * 999;
  expect(inVain).toBeLessThan(50);
});
