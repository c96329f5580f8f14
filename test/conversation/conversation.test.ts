import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REFERENCES, readReference } from "./command-reference.ts";
import { readDialogues } from "./dialogue.ts";
import { PureTarget } from "./pure-target.ts";
import { runDialogue } from "./run-dialogue.ts";
import { ServerTarget } from "./server-target.ts";

const dialogues = [...readDialogues(), ...REFERENCES.flatMap(readReference)];

describe("the command reference", () => {
  it("has an example for every command, the same in each language", () => {
    const [english, german] = REFERENCES.map(readReference);
    expect(english!.map(({ steps }) => steps)).toEqual(german!.map(({ steps }) => steps));
    expect(english!.map(({ name }) => name.split(" ").slice(1).join(" "))).toEqual([
      ...["CAPA", "USER", "PASS", "AUTH", "STLS", "UTF8", "LANG"],
      ...["STAT", "LIST", "RETR", "TOP", "DELE", "NOOP", "RSET", "UIDL", "QUIT", "A whole session"],
    ]);
  });
});

describe("the pure session", () => {
  const whole = new PureTarget((octets) => [octets]);
  const octetByOctet = new PureTarget((octets) => Array.from(octets, (octet) => Uint8Array.of(octet)));
  for (const dialogue of dialogues) {
    it(`${dialogue.name}`, () => runDialogue(dialogue, whole));
    it(`${dialogue.name}, octet by octet`, () => runDialogue(dialogue, octetByOctet));
  }
});

describe.each(["separate", "combined"] as const)("the server, processes %s", (processes) => {
  let target: ServerTarget;
  beforeAll(async () => {
    target = await ServerTarget.start(processes);
  });
  afterAll(() => target.stop());
  for (const dialogue of dialogues) it(`${dialogue.name}`, () => runDialogue(dialogue, target));
});
