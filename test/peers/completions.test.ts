// The completions of etc/completions in the shells that they are for.
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runProgram } from "../support/program.ts";

const folder = fileURLToPath(new URL("../../etc/completions", import.meta.url));

async function output(program: string, script: string): Promise<string[]> {
  const { exitCode, stdout, stderr } = await runProgram(program, ["-c", script]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}

describe("completions", () => {
  const inBash = (...words: string[]) =>
    output(
      "bash",
      `. ${folder}/pop3-ctl.bash
       COMP_WORDS=(pop3-ctl ${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length}
       _pop3_ctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  it("in bash: commands, their own commands, options", async () => {
    expect(await inBash("w")).toEqual(["who", "why", "warm"]);
    expect(await inBash("mailbox", "s")).toEqual(["show", "status"]);
    expect(await inBash("--config", "who", "tr")).toEqual(["trace"]);
    expect(await inBash("trace", "mrose", "--s")).toEqual(["--sessions"]);
    expect(await inBash("--config", "/etc/host")).toContain("/etc/hostname");
  });

  it("in fish: the same", async () => {
    const inFish = async (line: string) =>
      (await output("fish", `source ${folder}/pop3-ctl.fish; complete -C '${line}'`)).map(
        (found) => found.split("\t")[0],
      );
    expect((await inFish("pop3-ctl w")).sort()).toEqual(["warm", "who", "why"]);
    expect((await inFish("pop3-ctl mailbox s")).sort()).toEqual(["show", "status"]);
    expect(await inFish("pop3-ctl trace --se")).toEqual(["--sessions"]);
  });

  it("in zsh: read without a fault", async () => {
    expect(await output("zsh", `zsh -n ${folder}/_pop3-ctl && echo sound`)).toEqual(["sound"]);
  });
});
