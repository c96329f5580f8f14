// curl as a POP3 client: lists, retrieves, deletes, with every way to log in that it knows and we offer.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProgramResult, runProgram } from "../support/program.ts";
import { type MailHost, password, startMailHost } from "./support/mail-host.ts";
import { asSent, type MaildirFile, readMaildir } from "./support/maildir.ts";
import { generatedMessages } from "./support/messages.ts";

const messages = generatedMessages().map(({ bytes }) => bytes);
let host: MailHost;

beforeAll(async () => {
  host = await startMailHost({ virtualUsers: ["mrose", "deleting", "waiting"] });
  await host.deliver("waiting", messages.slice(0, 1));
});
afterAll(async () => await host?.stop());

/** The password goes through a config on standard input, as in real use: an argument would stand in ps(1). */
async function curl(
  user: string,
  path: string,
  args: readonly string[] = [],
  userPassword = password,
): Promise<ProgramResult> {
  const url = `pop3://127.0.0.1:${host.server.port}/${path}`;
  return await runProgram("curl", ["--silent", "--show-error", "--config", "-", ...args, url], {
    input: `user = "${user}:${userPassword}"\n`,
  });
}

async function listing(user: string, command: "LIST" | "UIDL"): Promise<readonly string[]> {
  const { exitCode, stdout, stderr } = await curl(user, "", ["--request", command]);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout.toString("latin1").split("\r\n").slice(0, -1);
}

/** The Maildir's files in the order of the server's message numbers. */
async function inOrder(user: string, files: readonly MaildirFile[]): Promise<readonly MaildirFile[]> {
  const uniqueIds = (await listing(user, "UIDL")).map((line) => line.split(" ")[1]);
  return uniqueIds.map((uniqueId) => {
    const file = files.find(({ baseName }) => baseName === uniqueId);
    if (file === undefined) throw new Error(`unique-id ${uniqueId} names no file`);
    return file;
  });
}

describe("curl", () => {
  it("lists and retrieves every message octet for octet and leaves them there", async () => {
    const files = await inOrder("mrose", await host.deliver("mrose", messages));
    expect(files).toHaveLength(messages.length);
    expect(await listing("mrose", "LIST")).toEqual(
      files.map(({ bytes }, index) => `${index + 1} ${asSent(bytes).length}`),
    );
    for (const [index, { baseName, bytes }] of files.entries()) {
      const { exitCode, stdout } = await curl("mrose", `${index + 1}`);
      expect(exitCode).toBe(0);
      expect(stdout.equals(asSent(bytes)), `${baseName} unchanged`).toBe(true);
    }
    const after = readMaildir(host.maildir("mrose"));
    expect(after.map(({ folder, baseName, flags }) => `${folder}/${baseName}:2,${flags}`)).toEqual(
      files.map(({ baseName }) => `cur/${baseName}:2,S`).sort(),
    );
  });

  it("retrieves all messages over one connection", async () => {
    const { exitCode, stdout } = await curl("mrose", `[1-${messages.length}]`);
    expect(exitCode).toBe(0);
    const files = await inOrder("mrose", readMaildir(host.maildir("mrose")));
    expect(stdout.equals(Buffer.concat(files.map(({ bytes }) => asSent(bytes))))).toBe(true);
  });

  it("deletes the message that it names and no other", async () => {
    const files = await inOrder("deleting", await host.deliver("deleting", messages.slice(0, 3)));
    const { exitCode } = await curl("deleting", "2", ["--request", "DELE", "--head"]);
    expect(exitCode).toBe(0);
    expect(readMaildir(host.maildir("deleting")).map(({ baseName }) => baseName)).toEqual(
      [files[0]!, files[2]!].map(({ baseName }) => baseName).sort(),
    );
  });

  it.each([
    { options: "AUTH=PLAIN", args: [], sends: "> AUTH PLAIN" },
    { options: "AUTH=PLAIN", args: ["--sasl-ir"], sends: /^> AUTH PLAIN \S+$/m },
    { options: "AUTH=LOGIN", args: [], sends: "> AUTH LOGIN" },
    { options: "AUTH=LOGIN", args: ["--sasl-ir"], sends: /^> AUTH LOGIN \S+$/m },
  ])("logs in with $options $args", async ({ options, args, sends }) => {
    const result = await curl("waiting", "", ["--verbose", "--login-options", options, ...args]);
    const conversation = result.stderr.replaceAll("\r", "");
    expect(result.exitCode, conversation).toBe(0);
    expect(conversation).toMatch(sends);
    const [file] = readMaildir(host.maildir("waiting"));
    expect(result.stdout.toString()).toBe(`1 ${asSent(file!.bytes).length}\r\n`);
  });

  it.each(["AUTH=PLAIN", "AUTH=LOGIN"])(
    "is told that a wrong password is wrong, with %s",
    async (options) => {
      const { exitCode } = await curl("waiting", "", ["--login-options", options], `${password}x`);
      // CURLE_LOGIN_DENIED
      expect(exitCode).toBe(67);
    },
  );

  it("is told that a message number is wrong", async () => {
    const { exitCode, stdout } = await curl("mrose", `${messages.length + 1}`);
    // CURLE_WEIRD_SERVER_REPLY: curl's name for -ERR to RETR
    expect(exitCode).toBe(8);
    expect(stdout).toHaveLength(0);
  });
});
