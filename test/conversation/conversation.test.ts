import { afterAll, beforeAll, describe, it } from "vitest";
import { readDialogues } from "./dialogue.ts";
import { PureTarget } from "./pure-target.ts";
import { runDialogue } from "./run-dialogue.ts";
import { ServerTarget } from "./server-target.ts";

const dialogues = readDialogues();

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
