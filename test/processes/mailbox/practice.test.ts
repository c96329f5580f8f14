import { expect, test } from "vitest";
import { practise } from "../../../src/processes/mailbox/practice.ts";

test("practising reads back the index that it made: 500 messages of 32 octets", async () => {
  expect(await practise()).toBe("+OK 500 16000\r\n");
});
