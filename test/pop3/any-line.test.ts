// Whatever a client sends, each of its lines has one well-formed answer, in both states.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AuthorizationState } from "../../src/pop3/authorization-state.ts";
import { parseCommand } from "../../src/pop3/command.ts";
import { LANGUAGE_TAGS } from "../../src/pop3/language.ts";
import type { Line } from "../../src/pop3/line-reader.ts";
import { TransactionState } from "../../src/pop3/transaction-state.ts";

const capabilities = { mechanisms: ["PLAIN", "LOGIN"], passwordAllowed: true, implementation: "dewey-pop3" };

/** One character for each octet, never LF: what LineReader makes lines of. */
const byteString = fc
  .array(
    fc.integer({ min: 0, max: 255 }).filter((octet) => octet !== 10),
    { maxLength: 60 },
  )
  .map((octets) => String.fromCharCode(...octets));

const keyword = fc.constantFrom(
  ..."CAPA USER PASS AUTH QUIT STAT LIST RETR DELE DEL NOOP RSET TOP UIDL APOP STLS LANG UTF8 __proto__ constructor".split(
    " ",
  ),
);
const argument = fc.oneof(
  fc.integer({ min: -1, max: 5 }).map(String),
  fc.constantFrom(
    "0x1",
    "1e0",
    "+1",
    "1.5",
    "9999999999",
    "99999999999",
    "\u00d9\u00a3",
    "*",
    "=",
    "PLAIN",
    "AG0AcA==",
    "de",
    "en-US",
  ),
  byteString.map((text) => text.replaceAll(" ", "_")),
);
const command = fc
  .tuple(keyword, fc.boolean(), fc.array(argument, { maxLength: 3 }), fc.constantFrom("", " ", "  "))
  .map(([word, isLower, parts, end]) => [isLower ? word.toLowerCase() : word, ...parts].join(" ") + end);
const line: fc.Arbitrary<Line> = fc.oneof(
  fc.oneof({ weight: 3, arbitrary: command }, byteString).map((text): Line => ({ kind: "line", text })),
  fc.constant<Line>({ kind: "too-long" }),
);

/** RFC 2449 §4: at most 512 octets; of a multi-line response this is the status line. */
const STATUS_LINE = /^(?:\+OK|-ERR(?: \[[A-Z/-]+\])?|\+)(?: [\x20-\x7e\x80-\xff]*)?\r\n/;
const language = fc.constantFrom(...LANGUAGE_TAGS);

function expectReply(text: string): void {
  const [status] = STATUS_LINE.exec(text) ?? [];
  expect(status, JSON.stringify(text)).toBeDefined();
  expect(status!.length).toBeLessThanOrEqual(512);
  if (status!.length < text.length) expect(text).toMatch(/\r\n\.\r\n$/);
}

function joined(pieces: Iterator<string>): string {
  let text = "";
  for (let piece = pieces.next(); piece.done !== true; piece = pieces.next()) text += piece.value;
  return text;
}

describe("parseCommand", () => {
  it("keeps all that was sent: keyword, space and rest make the line again, but for the keyword's case", () => {
    fc.assert(
      fc.property(byteString, (text) => {
        const { keyword: word, rest, arguments: parts } = parseCommand(text);
        const again = rest === undefined ? word : `${word} ${rest}`;
        expect(again.slice(word.length)).toBe(text.slice(text.length - (again.length - word.length)));
        expect(word).toBe(
          (rest === undefined ? text : text.slice(0, text.length - rest.length - 1)).toUpperCase(),
        );
        expect(parts.join(" ")).toBe((rest ?? "").replace(/ +$/, ""));
      }),
    );
  });
});

describe("AuthorizationState", () => {
  it("has one well-formed answer for any line, and closes after so many useless ones", () => {
    const failure = fc.constantFrom("refused" as const, "malformed" as const, "temporary" as const);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, fc.constantFrom("challenge", "fail"), failure), { maxLength: 40 }),
        language,
        (lines, language) => {
          const state = new AuthorizationState({
            serverName: "dewey",
            language,
            maxUselessCommands: 10,
            tls: "available",
            ...capabilities,
          });
          let refused = 0;
          for (const [sent, verdict, kind] of lines) {
            let outcome = state.handle(sent);
            if (outcome.kind === "authenticate" || outcome.kind === "respond") {
              const base64 = outcome.kind === "respond" ? outcome.response : (outcome.initialResponse ?? "");
              expect(() => atob(base64)).not.toThrow();
              if (verdict === "challenge") {
                expectReply(state.challenged("VXNlcm5hbWU6"));
                continue;
              }
              outcome = state.refused({ kind });
            }
            if (!("text" in outcome)) throw new Error(`${outcome.kind} is no answer`);
            expectReply(outcome.text);
            if (outcome.kind === "start-tls") return;
            if (outcome.text.startsWith("-ERR") && !outcome.text.includes("[SYS/TEMP]")) refused++;
            if (outcome.kind === "close") {
              expect(outcome.reason).toBe(refused === 10 ? "useless-commands" : "quit");
              return;
            }
            expect(refused).toBeLessThan(10);
          }
        },
      ),
    );
  });
});

describe("TransactionState", () => {
  it("has one well-formed answer for any line, and names only messages that are there and not deleted", () => {
    const sizes = [120, 200, 0];
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), language, (lines, language) => {
        const maildrop = {
          count: sizes.length,
          measured: true,
          octets: (index: number) => sizes[index]!,
          totalOctets: 320,
          uniqueId: (index: number) => `unique-id-${index}`,
        };
        const state = new TransactionState(maildrop, {
          serverName: "dewey",
          language: "i-default",
          choices: { language, utf8: false },
          maxUselessCommands: 10,
          capabilities,
        });
        for (const sent of lines) {
          const before = new Set(state.deleted);
          const outcome = state.handle(sent);
          switch (outcome.kind) {
            case "reply":
              expectReply(outcome.text);
              break;
            case "listing":
              expectReply(joined(outcome.pieces));
              break;
            case "send":
              expect(sizes[outcome.index]).toBeDefined();
              expect(before.has(outcome.index)).toBe(false);
              break;
            case "update":
              expectReply(state.signOff({ failed: 0 }));
              return;
            case "close":
              expectReply(outcome.text);
              return;
            case "measure":
              throw new Error("sizes are known");
            default:
              outcome satisfies never;
          }
          // Only DELE marks, one message at a time, and only RSET takes marks back.
          if (state.deleted.size > before.size) {
            expect(sent.kind === "line" && sent.text.slice(0, 3).toUpperCase()).toBe("DEL");
            expect(state.deleted.size).toBe(before.size + 1);
          } else if (state.deleted.size < before.size) {
            expect(sent.kind === "line" && sent.text.slice(0, 4).toUpperCase()).toBe("RSET");
          }
        }
      }),
    );
  });
});
