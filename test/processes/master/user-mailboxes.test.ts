// Which processes there are at which moment, with children that do what the test says.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type {
  ChildDescription,
  ChildStart,
  SupervisedChild,
} from "../../../src/processes/master/supervision.ts";
import { type UserLimits, UserMailboxes } from "../../../src/processes/master/user-mailboxes.ts";
import type { MailOwner } from "../../../src/processes/settings.ts";
import { TICKET_LIFETIME_MS } from "../../../src/processes/ticket.ts";

class FakeChild {
  readonly description: ChildDescription;
  isDrained = false;
  starts!: (start: ChildStart) => void;
  ends!: () => void;

  constructor(description: ChildDescription) {
    this.description = description;
  }

  start(): Promise<ChildStart> {
    return new Promise((resolve) => {
      this.starts = resolve;
    });
  }

  drain(): Promise<void> {
    this.isDrained = true;
    return new Promise((resolve) => {
      this.ends = resolve;
    });
  }

  reload(): void {}
}

const alice: MailOwner = { uid: 20_001, gid: 20_011 };
const bob: MailOwner = { uid: 20_002, gid: 20_012 };
const carol: MailOwner = { uid: 20_003, gid: 20_013 };

let folder: string;
let children: FakeChild[];
let limits: UserLimits;
let mailboxes: UserMailboxes;

beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), "dewey-places-"));
  children = [];
  limits = {
    first_uid: 1000,
    last_uid: 59_999,
    first_gid: 100,
    last_gid: 59_999,
    maxProcesses: 2,
    idleMs: 60_000,
  };
  mailboxes = new UserMailboxes({
    runtimeDir: folder,
    socketOwner: { mode: 0o600 },
    reservedUids: [30_000],
    limits: () => limits,
    settings: () => ({}),
    makeChild: (description) => {
      const child = new FakeChild(description);
      children.push(child);
      return child as unknown as SupervisedChild;
    },
    log: pino({ level: "silent" }),
  });
});

afterEach(async () => {
  vi.useRealTimers();
  for (const child of children) child.description.onGone?.();
  rmSync(folder, { recursive: true });
});

/** A request that has been answered yet, or undefined. */
function watch<T>(promise: Promise<T>): { answer: T | undefined; readonly settled: Promise<T> } {
  const watched = { answer: undefined as T | undefined, settled: promise };
  void promise.then((answer) => {
    watched.answer = answer;
  });
  return watched;
}

const turn = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

async function served(owner: MailOwner): Promise<FakeChild> {
  const request = mailboxes.place(owner);
  await turn();
  const child = children.at(-1)!;
  child.starts({ kind: "serves" });
  expect(await request).toBe("serves");
  return child;
}

/** One session that came and went. */
function session(child: FakeChild): void {
  child.description.onSessions!(1, 1);
  child.description.onSessions!(0, 0);
}

describe("UserMailboxes", () => {
  it("starts one process for requests that come while it starts, and answers when it serves", async () => {
    const requests = [watch(mailboxes.place(alice)), watch(mailboxes.place(alice))];
    await turn();
    expect(children).toHaveLength(1);
    expect(requests.map(({ answer }) => answer)).toEqual([undefined, undefined]);
    expect(children[0]!.description.user).toEqual(alice);
    children[0]!.starts({ kind: "serves" });
    expect(await Promise.all(requests.map(({ settled }) => settled))).toEqual(["serves", "serves"]);
    expect(await mailboxes.place(alice)).toBe("serves");
    expect(mailboxes.counts()).toMatchObject({ running: 1, started: 1 });
  });

  it("keeps two groups of one uid apart", async () => {
    await served(alice);
    const other = await served({ ...alice, gid: 100 });
    expect(other.description.user).toEqual({ uid: 20_001, gid: 100 });
  });

  it.each([
    [{ uid: 0, gid: 1000 }],
    [{ uid: 1000, gid: 0 }],
    [{ uid: 999, gid: 1000 }],
    [{ uid: 60_000, gid: 1000 }],
    [{ uid: 1000, gid: 99 }],
    [{ uid: 1000, gid: 60_000 }],
    [{ uid: 30_000, gid: 1000 }],
  ])("never starts a process for %o", async (owner) => {
    expect(await mailboxes.place(owner)).toBe("not-allowed");
    expect(children).toEqual([]);
    expect(mailboxes.counts()).toMatchObject({ running: 0, "refused-owner": 1 });
  });

  it("never serves root, not even where the limits say so", async () => {
    limits = { ...limits, first_uid: 0, first_gid: 0 };
    expect(await mailboxes.place({ uid: 0, gid: 1000 })).toBe("not-allowed");
    expect(await mailboxes.place({ uid: 1000, gid: 0 })).toBe("not-allowed");
  });

  it("says unavailable when the process ends before it serves, and tries again at the next request", async () => {
    const request = mailboxes.place(alice);
    await turn();
    children[0]!.starts({ kind: "failed", message: "ended" });
    expect(await request).toBe("unavailable");
    expect(existsSync(join(folder, "mailbox-20001-20011.sock"))).toBe(false);
    await served(alice);
    expect(children).toHaveLength(2);
  });

  it("starts another after one died", async () => {
    const child = await served(alice);
    child.description.onGone!();
    expect(mailboxes.counts()).toMatchObject({ running: 0, died: 1 });
    await served(alice);
    expect(children).toHaveLength(2);
  });

  it("ends a process that has been idle, not one with a session, and not one that a login is on its way to", async () => {
    const child = await served(alice);
    child.description.onSessions!(1, 1);
    await vi.advanceTimersByTimeAsync(10 * limits.idleMs);
    expect(child.isDrained).toBe(false);
    child.description.onSessions!(0, 0);
    await vi.advanceTimersByTimeAsync(limits.idleMs - 1);
    expect(child.isDrained).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(child.isDrained).toBe(true);
    expect(mailboxes.counts()).toMatchObject({ "ended-idle": 1 });

    limits = { ...limits, idleMs: 1 };
    child.ends();
    await turn();
    const again = await served(alice);
    await vi.advanceTimersByTimeAsync(TICKET_LIFETIME_MS / 2);
    expect(again.isDrained).toBe(false);
    // The client went away before its ticket was shown: it does not keep the process for ever.
    await vi.advanceTimersByTimeAsync(2 * TICKET_LIFETIME_MS);
    expect(again.isDrained).toBe(true);
  });

  it("waits for the end of a process before it starts the next one for its owner", async () => {
    const child = await served(alice);
    session(child);
    await vi.advanceTimersByTimeAsync(limits.idleMs);
    const request = watch(mailboxes.place(alice));
    await turn();
    expect([children.length, request.answer]).toEqual([1, undefined]);
    child.ends();
    await turn();
    expect(children).toHaveLength(2);
    children[1]!.starts({ kind: "serves" });
    expect(await request.settled).toBe("serves");
  });

  it("ends the longest idle at the limit, and refuses when all are busy", async () => {
    const first = await served(alice);
    const second = await served(bob);
    first.description.onSessions!(1, 1);
    session(second);
    await vi.advanceTimersByTimeAsync(10);
    first.description.onSessions!(0, 0);
    const request = watch(mailboxes.place(carol));
    await turn();
    expect([first.isDrained, second.isDrained]).toEqual([false, true]);
    expect(children).toHaveLength(2);
    second.ends();
    await turn();
    children[2]!.starts({ kind: "serves" });
    expect(await request.settled).toBe("serves");
    expect(mailboxes.counts()).toMatchObject({ running: 2, evicted: 1 });

    first.description.onSessions!(1, 0);
    // Carol's ticket has not been shown yet: her process is not idle.
    expect(await mailboxes.place(bob)).toBe("unavailable");
    expect(mailboxes.counts()).toMatchObject({ "refused-at-limit": 1 });
  });

  it("never runs more than the limit, however many ask at once", async () => {
    session(await served(alice));
    session(await served(bob));
    const requests = [3, 4, 5, 6].map((n) => watch(mailboxes.place({ uid: 20_000 + n, gid: 20_000 })));
    for (let i = 0; i < 10; i++) {
      await turn();
      for (const child of children.filter(({ isDrained }) => isDrained)) child.ends();
      for (const child of children.slice(2)) child.starts({ kind: "serves" });
      expect(mailboxes.counts().running).toBeLessThanOrEqual(2);
    }
    const answers = await Promise.all(requests.map(({ settled }) => settled));
    expect(answers.sort()).toEqual(["serves", "serves", "unavailable", "unavailable"]);
  });

  it("ends all when the server does, also one that is starting, and starts none any more", async () => {
    const child = await served(alice);
    const starting = mailboxes.place(bob);
    await turn();
    const drained = mailboxes.drain(1000);
    await turn();
    expect(child.isDrained && children[1]!.isDrained).toBe(true);
    children[1]!.starts({ kind: "failed", message: "the server is shutting down" });
    for (const each of children) each.ends();
    await drained;
    expect(await starting).toBe("unavailable");
    expect(await mailboxes.place(carol)).toBe("unavailable");
    expect(mailboxes.counts().running).toBe(0);
  });
});
