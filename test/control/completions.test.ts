import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { addHostCommands } from "../../src/bin/ctl/host-commands.ts";
import { commandLine } from "../../src/control/command-line.ts";
import { completionScript, SHELLS } from "../../src/control/completions.ts";

const fileOf = { bash: "pop3-ctl.bash", zsh: "_pop3-ctl", fish: "pop3-ctl.fish" } as const;

/** All of pop3-ctl, as src/bin/pop3-ctl.ts puts it together. */
function whole() {
  const program = commandLine();
  addHostCommands(program);
  return program;
}

describe("completions", () => {
  it.each(SHELLS)("for %s in etc/completions are those of the commands as they are", (shell) => {
    const file = fileURLToPath(new URL(`../../etc/completions/${fileOf[shell]}`, import.meta.url));
    // When this fails: scripts/write-completions
    expect(readFileSync(file, "utf8")).toBe(completionScript(whole(), shell));
  });

  it("name every command and option", () => {
    for (const shell of SHELLS) {
      const script = completionScript(whole(), shell);
      for (const word of ["who", "kick", "mailbox", "undelete", "throttle", "follow", "since", "interval"])
        expect(script).toContain(word);
    }
  });
});
