import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type StallLimits, StallWatch } from "../../src/net/stall-watch.ts";

/** A socket as StallWatch looks at it, before the kernel: `acknowledge` is what the client does. */
class Client extends Duplex {
  readonly _handle = { bytesWritten: 1_000_000, writeQueueSize: 1_000_000, fd: -1 };
  acknowledge(octets: number): void {
    this._handle.writeQueueSize -= octets;
  }
}

describe("StallWatch, 100 octets a second over 10 s", () => {
  let client: Client;
  let stalled: number;
  let watch: StallWatch;
  let limits: StallLimits;

  beforeEach(() => {
    vi.useFakeTimers();
    client = new Client({ read() {} });
    stalled = 0;
    limits = { stallTimeMs: 10_000, minOctetsPerSecond: 100 };
    watch = new StallWatch(
      client,
      () => limits,
      () => stalled++,
    );
  });
  afterEach(() => vi.useRealTimers());

  const takeEachSecond = (octets: number, seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      client.acknowledge(octets);
      vi.advanceTimersByTime(1_000);
    }
  };

  it("is content with a client that takes so much, however long it takes", () => {
    watch.waits(true);
    takeEachSecond(101, 1_000);
    expect(stalled).toBe(0);
    expect(watch.waitingMs).toBeGreaterThanOrEqual(1_000_000);
  });

  it("notices a client that takes a little less, all the time", () => {
    watch.waits(true);
    takeEachSecond(99, 9);
    expect(stalled).toBe(0);
    takeEachSecond(99, 2);
    expect(stalled).toBe(1);
  });

  it("notices a client that was quick and stops", () => {
    watch.waits(true);
    takeEachSecond(10_000, 15);
    takeEachSecond(0, 20);
    expect(stalled).toBe(1);
  });

  it("counts only the time in which octets wait for the client", () => {
    for (let turn = 0; turn < 100; turn++) {
      watch.waits(true);
      takeEachSecond(200, 1);
      watch.waits(false);
      vi.advanceTimersByTime(60_000);
    }
    expect(stalled).toBe(0);
    // Ten waits of a second each are ten seconds of waiting.
    for (let turn = 0; turn < 20 && stalled === 0; turn++) {
      watch.waits(true);
      takeEachSecond(10, 1);
      watch.waits(false);
      vi.advanceTimersByTime(60_000);
    }
    expect(stalled).toBe(1);
  });

  it("asks one octet of everybody where no rate is asked for", () => {
    limits = { stallTimeMs: 10_000, minOctetsPerSecond: 0 };
    const patient = new StallWatch(
      client,
      () => limits,
      () => stalled++,
    );
    patient.waits(true);
    for (let turn = 0; turn < 5; turn++) takeEachSecond(turn === 4 ? 0 : 1, 9);
    expect(stalled).toBe(0);
    vi.advanceTimersByTime(20_000);
    expect(stalled).toBe(1);
  });

  it("holds those who wait already to what a reload has changed", () => {
    limits = { stallTimeMs: 3_600_000, minOctetsPerSecond: 0 };
    watch.waits(true);
    takeEachSecond(1, 600);
    limits = { stallTimeMs: 10_000, minOctetsPerSecond: 100 };
    takeEachSecond(1, 5);
    expect(stalled).toBe(1);
  });

  it("gives those who wait already the time that a reload allows", () => {
    watch.waits(true);
    takeEachSecond(0, 9);
    limits = { stallTimeMs: 60_000, minOctetsPerSecond: 100 };
    takeEachSecond(0, 50);
    expect(stalled).toBe(0);
    takeEachSecond(0, 2);
    expect(stalled).toBe(1);
  });

  it("tells whether one that is found gone took less than other limits ask for", () => {
    limits = { stallTimeMs: 15_000, minOctetsPerSecond: 0 };
    const relays: StallLimits = { stallTimeMs: 10_000, minOctetsPerSecond: 100 };
    watch.waits(true);
    takeEachSecond(10, 9);
    expect(watch.hasTakenLess(relays)).toBe(false);
    takeEachSecond(10, 7);
    // Judged a second ago, and found well: that time counts all the same.
    expect(watch.hasTakenLess(relays)).toBe(true);
    expect(watch.hasTakenLess({ ...relays, minOctetsPerSecond: 5 })).toBe(false);
    expect(stalled).toBe(0);
    watch.waits(false);
    expect(watch.hasTakenLess(relays)).toBe(false);
  });

  it("says nothing of a client that is gone", async () => {
    watch.waits(true);
    client.destroy();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(stalled).toBe(0);
  });
});

describe("StallWatch, of a real connection", () => {
  it("counts what the client has acknowledged, not what the kernel holds for it", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    client.pause();
    const [ours] = (await once(server, "connection")) as [Socket];
    let stalled = 0;
    const watch = new StallWatch(
      ours,
      () => ({ stallTimeMs: 200, minOctetsPerSecond: 1 }),
      () => stalled++,
    );
    // More than both ends' buffers take.
    ours.write(Buffer.alloc(40_000_000));
    watch.waits(true);
    await vi.waitFor(() => expect(stalled).toBe(1), 10_000);
    ours.destroy();
    client.destroy();
    server.close();
  });
});
