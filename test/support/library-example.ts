// README's server over one's own storage: type-checked against the installed package, and run.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { runProgram, startProgram } from "./program.ts";
import { readmeBlock } from "./readme.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

/** @param folder has node_modules/dewey-pop3. @returns what the server says to a client that deletes its message */
export async function runLibraryExample(folder: string): Promise<string> {
  const port = await freePort();
  const example = readmeBlock("library").replace("2110", `${port}`);
  writeFileSync(join(folder, "example.ts"), example);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  symlinkSync(join(checkout, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  symlinkSync(join(checkout, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  const options = [
    "--strict",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--types",
    "node",
    "--outDir",
    "out",
  ];
  const { exitCode, stdout } = await runProgram(process.execPath, [tsc, ...options, "example.ts"], {
    cwd: folder,
  });
  if (exitCode !== 0) throw new Error(`tsc: ${stdout}`);
  const program = await startProgram(process.execPath, [join(folder, "out/example.js")], { cwd: folder });
  try {
    return await eventually("an answer", () =>
      talk(port, "USER mrose\r\nPASS secret\r\nSTAT\r\nUIDL\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n"),
    );
  } finally {
    await program.stop("SIGKILL").catch(() => {});
  }
}

/** Undefined as long as nobody answers. */
async function talk(port: number, octets: string): Promise<string | undefined> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(octets);
  try {
    return await text(socket);
  } catch {
    return undefined;
  }
}

export const EXPECTED_TALK = [
  "+OK dewey POP3 server ready",
  "+OK User accepted",
  "+OK Pass accepted",
  "+OK 1 58",
  "+OK",
  "1 id-1",
  ".",
  "+OK 58 octets",
  "From: jpostel@isi.example",
  "Subject: one",
  "",
  "Out of a Map.",
  ".",
  "+OK message 1 deleted",
  "+OK dewey POP3 server signing off (maildrop empty)",
  "",
].join("\r\n");
