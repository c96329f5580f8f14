import { describe, expect, it } from "vitest";
import { ctlProgram } from "../../src/bin/ctl/program.ts";
import { completionScript, SHELLS } from "../../src/control/completions.ts";

describe("completions", () => {
  it("name every command and option", () => {
    for (const shell of SHELLS) {
      const script = completionScript(ctlProgram(), shell);
      for (const word of ["who", "kick", "mailbox", "undelete", "throttle", "follow", "since", "interval"])
        expect(script).toContain(word);
    }
  });
});
