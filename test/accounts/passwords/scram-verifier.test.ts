import { describe, expect, it } from "vitest";
import { type Account, parseAccountLine } from "../../../src/accounts/account.ts";
import { makeScramVerifier, scramKeys } from "../../../src/accounts/passwords/make-scram.ts";
import {
  formatScramVerifier,
  parseScramVerifier,
  scramFieldsOf,
  scramVerifierOf,
} from "../../../src/accounts/passwords/scram-verifier.ts";

// Dovecot src/auth/test-libpassword.c; the password is "test".
const SHA1 = "4096,GetyLXdBuHzf1FWf8SLz2Q==,NA/OqmF4hhrsrB9KR7po+dliTGM=,QBiURvQaE6H6qYTmeghDHLANBFQ=";
const SHA256 =
  "4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=";

function account(line: string) {
  const parsed = parseAccountLine(line, 1);
  if (parsed.kind !== "account") throw new Error(JSON.stringify(parsed));
  return parsed.account;
}

const scramSha256 = (of: Account) => scramVerifierOf(of, "SHA-256");
const scramSha1 = (of: Account) => scramVerifierOf(of, "SHA-1");

describe("scramVerifierOf", () => {
  it("come from the password field, locked or not", () => {
    const hash = scramSha256(account(`mrose:{SCRAM-SHA-256}${SHA256}`));
    expect(hash && formatScramVerifier(hash)).toBe(SHA256);
    expect(scramSha256(account(`mrose:!{SCRAM-SHA-256}${SHA256}`))).toEqual(hash);
    expect(scramSha256(account(`mrose:!{PLAIN}x::::::scram_sha_256=${SHA256}`))).toEqual(hash);
    expect(scramSha1(account(`mrose:{scram-sha-1}${SHA1}`))?.storedKey.length).toBe(20);
    expect(scramSha1(account(`mrose:{SCRAM-SHA-256}${SHA256}`))).toBeUndefined();
  });

  it("come from the extra fields behind another hash", () => {
    const both = account(`mrose:{PLAIN}test::::::nodelay scram_sha_256=${SHA256} scram_sha_1=${SHA1}`);
    expect(scramSha256(both)?.iterations).toBe(4096);
    expect(scramSha1(both)?.iterations).toBe(4096);
    expect(scramFieldsOf(both)).toEqual(["SHA-256", "SHA-1"]);
  });

  it.each([
    ["an account that has nothing behind its lock", `mrose:!::::::scram_sha_256=${SHA256}`],
    ["an account without a password", `mrose:::::::scram_sha_256=${SHA256}`],
    ["an account with an unusable hash", `mrose:{NOPE}x::::::scram_sha_256=${SHA256}`],
    ["a hash of the other scheme", `mrose:{PLAIN}test::::::scram_sha_256=${SHA1}`],
    ["too few iterations", `mrose:{PLAIN}test::::::scram_sha_256=${SHA256.replace("4096", "4095")}`],
    ["a field without a value", "mrose:{PLAIN}test::::::scram_sha_256"],
    ["a fifth part", `mrose:{PLAIN}test::::::scram_sha_256=${SHA256},x`],
  ])("are not there for %s", (_, line) => {
    expect(scramSha256(account(line))).toBeUndefined();
  });
});

describe("makeScramVerifier", () => {
  it("survives being written into a line", async () => {
    const hash = await makeScramVerifier("SHA-256", Buffer.from("test"), 4096);
    const text = formatScramVerifier(hash!);
    expect(text).toMatch(/^[A-Za-z0-9+/=,]+$/);
    expect(parseScramVerifier(Buffer.from(text), "SHA-256")).toEqual(hash);
  });

  it("is RFC 7677's for its example", async () => {
    const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
    const { storedKey, serverKey } = await scramKeys("SHA-256", Buffer.from("pencil"), salt, 4096);
    // The RFC shows the proof and the signature; these keys are what they verify against (also in PostgreSQL's tests).
    expect(Buffer.from(storedKey).toString("base64")).toBe("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
    expect(Buffer.from(serverKey).toString("base64")).toBe("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
  });

  it("prepares the password by SASLprep, and has none where that forbids it", async () => {
    const prepared = await makeScramVerifier("SHA-1", Buffer.from("I\u00adX"), 4096);
    expect((await scramKeys("SHA-1", Buffer.from("IX"), prepared!.salt, 4096)).storedKey).toEqual(
      prepared!.storedKey,
    );
    expect(await makeScramVerifier("SHA-1", Buffer.from("\u0627\u0031"), 4096)).toBeUndefined();
    expect(await makeScramVerifier("SHA-1", Buffer.from([0xff]), 4096)).toBeUndefined();
  });
});
