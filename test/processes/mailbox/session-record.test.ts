import { describe, expect, it } from "vitest";
import { quietLog } from "../../../src/library/on-log.ts";
import { SessionRecord } from "../../../src/processes/mailbox/session-record.ts";

const ticket = {
  session: "c0ffee",
  account: "mrose",
  address: "192.0.2.1",
  mechanism: "PLAIN",
  secured: false,
};

function close(record: SessionRecord, error?: Error) {
  const lines: object[] = [];
  const log = quietLog((level, message, fields) =>
    lines.push({ level, message, ...JSON.parse(JSON.stringify(fields)) }),
  );
  const ended = record.close({ messages: 7, endedAtMs: 1_250, error, log });
  return { ended, lines };
}

describe("SessionRecord", () => {
  it("tells at the end what the session did, in the log and to who asks for an account's history", () => {
    const record = new SessionRecord(ticket, 1_000);
    record.sent(120);
    record.sentWhole(0);
    record.sent(30);
    record.updated({ removed: 2, expired: 0 });
    record.end("quit");
    expect(record.retrieved).toEqual(new Set([0]));
    const did = { messages: 7, retrieved: 1, deleted: 2, octets: 150, durationMs: 250, reason: "quit" };
    const { session, account, address, mechanism } = ticket;
    const { ended, lines } = close(record);
    expect(lines).toEqual([
      { level: "info", message: "session ended", session, account, address, mechanism, ...did },
    ]);
    expect(ended).toEqual({ kind: "session", atMs: 1_250, address, secured: false, mechanism, ...did });
  });

  it("keeps the first reason, and names a cause only where the connection broke", () => {
    const record = new SessionRecord(ticket, 1_000);
    expect(record.hasEnded).toBe(false);
    record.end("idle");
    record.end("disconnected");
    expect(record.hasEnded).toBe(true);
    const error = new Error("read ECONNRESET");
    const idle = close(record, error);
    expect(idle.lines).toMatchObject([{ reason: "idle" }]);
    expect(idle.lines[0]).not.toHaveProperty("cause");
    const broken = close(new SessionRecord(ticket, 1_000), error);
    expect(broken.lines).toMatchObject([{ reason: "disconnected", cause: "read ECONNRESET" }]);
  });

  it("tells of expired messages where there are some, and of no negative duration", () => {
    const record = new SessionRecord(ticket, 2_000);
    record.updated({ removed: 0, expired: 3 });
    const { ended, lines } = close(record);
    expect(lines).toMatchObject([{ expired: 3, deleted: 0 }]);
    expect(ended.durationMs).toBe(0);
  });
});
