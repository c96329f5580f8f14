import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Channel, MAX_MESSAGE_OCTETS } from "../../../src/processes/child/channel.ts";
import { eventually } from "../../support/eventually.ts";

interface End {
  readonly channel: Channel;
  readonly messages: unknown[];
  readonly broken: string[];
  closed: boolean;
}

const open: Socket[] = [];

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const one = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [other] = await accepted;
  server.close();
  open.push(one, other);
  return [one, other];
}

function endOf(socket: Socket): End {
  const end = { messages: [] as unknown[], broken: [] as string[], closed: false };
  const channel = new Channel(socket, {
    onMessage: (message) => end.messages.push(message),
    onBroken: (reason) => end.broken.push(reason),
    onClose: () => {
      end.closed = true;
    },
  });
  return Object.assign(end, { channel });
}

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

describe("Channel", () => {
  it("carries messages both ways, in order, however they are cut", async () => {
    const [left, right] = (await socketPair()).map(endOf) as [End, End];
    const sent = [{ kind: "drain" }, { text: "line\nfeed, ümlaut, \u2028" }, { long: "x".repeat(300_000) }];
    for (const message of sent) left.channel.send(message);
    right.channel.send({ kind: "ready" });
    await eventually("all messages", () => right.messages.length === 3 && left.messages.length === 1);
    expect(right.messages).toEqual(sent);
    expect(left.messages).toEqual([{ kind: "ready" }]);
  });

  it("tells one who has much to say when the rest will be read", async () => {
    const [socket, reader] = await socketPair();
    const { channel, broken } = endOf(socket);
    let sent = 0;
    for (; !channel.isBusy; sent++) channel.send({ number: sent, text: "x".repeat(100_000) });
    const read = endOf(reader);
    await channel.whenRead();
    expect(channel.isBusy).toBe(false);
    channel.send({ number: sent });
    await eventually("the last message", () => read.messages.length === sent + 1);
    expect(broken).toEqual([]);
  });

  it("keeps nobody waiting for an end that is gone", async () => {
    const [socket, reader] = await socketPair();
    const { channel } = endOf(socket);
    while (!channel.isBusy) channel.send({ text: "x".repeat(100_000) });
    const whenRead = channel.whenRead();
    reader.destroy();
    await whenRead;
    expect(channel.isOpen).toBe(false);
  });

  it("carries messages octet by octet", async () => {
    const [raw, socket] = await socketPair();
    const end = endOf(socket);
    raw.setNoDelay(true);
    for (const octet of Buffer.from('{"a":"ü"}\n[1]\n')) {
      await new Promise((resolve) => raw.write(Buffer.from([octet]), resolve));
    }
    await eventually("both messages", () => end.messages.length === 2);
    expect(end.messages).toEqual([{ a: "ü" }, [1]]);
  });

  it.each([
    ["what is not JSON", "nonsense\n"],
    ["an empty line", "\n"],
    ["half a message", '{"kind":\n'],
  ])("ends at %s, and never throws", async (_, text) => {
    const [raw, socket] = await socketPair();
    const end = endOf(socket);
    raw.write(`{"first":1}\n${text}{"later":1}\n`);
    await eventually("the end", () => end.closed);
    expect(end.messages).toEqual([{ first: 1 }]);
    expect(end.broken).toEqual(["sent what is no message"]);
    expect(end.channel.isOpen).toBe(false);
    end.channel.send({ kind: "drain" });
  });

  it("keeps no more than one message of what has no end", async () => {
    const [raw, socket] = await socketPair();
    const end = endOf(socket);
    raw.on("error", () => {});
    raw.write(Buffer.alloc(MAX_MESSAGE_OCTETS + 70_000, "x"));
    await eventually("the end", () => end.closed);
    expect(end.broken).toEqual(["sent a message without an end"]);
  });

  it("gives up an end that reads nothing", async () => {
    const [raw, socket] = await socketPair();
    const end = endOf(socket);
    raw.pause();
    const message = { filler: "x".repeat(500_000) };
    for (let i = 0; i < 100 && end.broken.length === 0; i++) end.channel.send(message);
    expect(end.broken).toEqual(["does not read its messages"]);
  });
});
