// The manual pages of etc/man in the two programs that read them.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runProgram } from "../support/program.ts";

const folder = fileURLToPath(new URL("../../etc/man", import.meta.url));
const pages = readdirSync(folder);

describe("the manual pages", () => {
  it("are those of the commands and of the config", () => {
    expect(pages).toEqual(["dewey-pop3.toml.5", "pop3-ctl.8", "pop3-passwd.8", "pop3-server.8"]);
  });

  it.each(pages)("%s passes mandoc -Tlint, style included", async (page) => {
    const { exitCode, stdout, stderr } = await runProgram("mandoc", ["-Tlint", "-Wall", `${folder}/${page}`]);
    expect({ exitCode, stdout: stdout.toString(), stderr }).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  it.each(pages)(
    "%s is shown by man without a warning, in 80 columns but for lines to be copied",
    async (page) => {
      const env = { LC_ALL: "C.UTF-8", MANWIDTH: "80" };
      const { exitCode, stdout, stderr } = await runProgram(
        "man",
        ["--warnings", "-l", `${folder}/${page}`],
        { env },
      );
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      const text = stdout.toString();
      expect(text).toContain("NAME");
      const long = text.split("\n").filter((line) => line.length > 80 && !/^ {11}/.test(line));
      expect(long).toEqual([]);
    },
  );
});
