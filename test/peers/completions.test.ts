// The completions of etc/completions in the shells that they are for.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runProgram } from "../support/program.ts";

const folder = fileURLToPath(new URL("../../etc/completions", import.meta.url));
const zshCompletions = fileURLToPath(new URL("support/zsh-completions.zsh", import.meta.url));

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
      `. ${folder}/bash/pop3-ctl
       COMP_WORDS=(pop3-ctl ${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length}
       _pop3_ctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  it("in bash: commands, their own commands, options", async () => {
    expect(await inBash("w")).toEqual(["who", "why", "warm"]);
    expect(await inBash("mailbox", "s")).toEqual(["show", "status"]);
    expect(await inBash("--config", "who", "tr")).toEqual(["trace"]);
    expect(await inBash("trace", "mrose", "--s")).toEqual(["--sessions"]);
    expect(await inBash("--config", "/etc/host")).toContain("/etc/hostname");
    expect(await inBash("rehearse", "--accounts", "/etc/host")).toContain("/etc/hostname");
  });

  it("in bash: at a terminal, by the tab key", async () => {
    const typed = `. ${folder}/bash/pop3-ctl; pop3-ctl() { printf '<%s>' "$@"; echo; }
pop3-ctl mailbox stat\t
pop3-ctl --config /etc/hostna\twhy\t
exit
`;
    const shell = "bash --norc --noprofile -i";
    // script(1) gives it a terminal.
    const { stdout } = await runProgram("script", ["--quiet", "--command", shell, "/dev/null"], {
      input: typed,
      env: { TERM: "dumb" },
    });
    expect(stdout.toString()).toContain("\n<mailbox><status>\r\n");
    expect(stdout.toString()).toContain("\n<--config></etc/hostname><why>\r\n");
  });

  it("in zsh: the same", async () => {
    const inZsh = async (line: string) => {
      const args = ["-f", zshCompletions, `${folder}/zsh`, line];
      const { exitCode, stdout, stderr } = await runProgram("zsh", args, {}, 60_000);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      return stdout.toString().trim().split("\n");
    };
    expect(await inZsh("pop3-ctl w")).toEqual(["warm", "who", "why"]);
    expect(await inZsh("pop3-ctl mailbox s")).toEqual(["show", "status"]);
    expect(await inZsh("pop3-ctl --config who tr")).toEqual(["trace"]);
    expect(await inZsh("pop3-ctl trace mrose --s")).toEqual(["--sessions"]);
    expect(await inZsh("pop3-ctl --config /etc/host")).toContain("hostname");
    expect(await inZsh("pop3-passwd dev")).toEqual(["device"]);
    expect(await inZsh("pop3-server --ch")).toEqual(["--check"]);
  });

  it("in fish: the same", async () => {
    const inFish = async (line: string) => {
      const [command] = line.split(" ");
      const lines = await output("fish", `source ${folder}/fish/${command}.fish; complete -C '${line}'`);
      return lines.map((found) => found.split("\t")[0]);
    };
    expect((await inFish("pop3-ctl w")).sort()).toEqual(["warm", "who", "why"]);
    expect((await inFish("pop3-ctl mailbox s")).sort()).toEqual(["show", "status"]);
    expect(await inFish("pop3-ctl trace --se")).toEqual(["--sessions"]);
    expect(await inFish("pop3-ctl --config /etc/hostn")).toEqual(["/etc/hostname"]);
    // Its help has two lines, of which fish took the second for another candidate.
    expect(await inFish("pop3-passwd re")).toEqual(["rehash"]);
    expect(await inFish("pop3-server --ch")).toEqual(["--check"]);
  });

  it("of every command: read by its shell without a fault", async () => {
    const scripts = ["bash", "zsh", "fish"].flatMap((shell) =>
      readdirSync(`${folder}/${shell}`).map((name) => ({ shell, name })),
    );
    expect(scripts).toHaveLength(9);
    for (const { shell, name } of scripts)
      expect(await output(shell, `${shell} -n ${folder}/${shell}/${name} && echo ${name} is sound`)).toEqual([
        `${name} is sound`,
      ]);
  });
});
