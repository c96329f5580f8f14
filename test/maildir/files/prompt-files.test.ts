import { existsSync } from "node:fs";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemFiles } from "../../../src/maildir/files/files.ts";
import { promptFiles } from "../../../src/maildir/files/prompt-files.ts";
import { QuickReads } from "../../../src/maildir/files/quick-reads.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";

it("removes a file before the thread is left, and tells why it cannot", async () => {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.1.host", "a\n");
  const files = promptFiles(new QuickReads(true));
  const removing = files.unlink(`${maildir.path}/new/1.1.host`);
  expect(existsSync(`${maildir.path}/new/1.1.host`)).toBe(false);
  await removing;
  await expect(files.unlink(`${maildir.path}/new/1.1.host`)).rejects.toMatchObject({ code: "ENOENT" });
});

it("leaves the work to the thread pool where the file system may keep it waiting", async () => {
  const unlink = vi.spyOn(systemFiles, "unlink").mockResolvedValue();
  onTestFinished(() => void vi.restoreAllMocks());
  await promptFiles(new QuickReads(false)).unlink("/nowhere/1");
  expect(unlink).toHaveBeenCalledWith("/nowhere/1");
});

it("gives others a turn when it has kept the process for long", async () => {
  let clock = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  const unlink = vi.spyOn(systemFiles, "unlink").mockResolvedValue();
  onTestFinished(() => void vi.restoreAllMocks());
  const files = promptFiles(new QuickReads(true));
  clock = 10;
  await files.unlink("/nowhere/1");
  await files.unlink("/nowhere/2");
  expect(unlink).toHaveBeenCalledTimes(2);
  await new Promise((resolve) => setImmediate(resolve));
  await expect(files.unlink("/nowhere/3")).rejects.toMatchObject({ code: "ENOENT" });
  expect(unlink).toHaveBeenCalledTimes(2);
});
