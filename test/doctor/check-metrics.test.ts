import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkMetrics } from "../../src/doctor/check-metrics.ts";
import { freePort } from "../support/free-port.ts";
import { configOf } from "./config-of.ts";

const folder = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function check(place: string, isRunning: boolean) {
  const findings = await checkMetrics(configOf(`[metrics]\nlisten = "${place}"\n`), isRunning);
  return findings.map(({ level, message }) => `${level}: ${message}`);
}

describe("checkMetrics", () => {
  it("tells a free address and a free socket", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    expect(await check(address, false)).toEqual([`ok: ${address} is free`]);
    expect(await check(`${folder}/free.sock`, false)).toEqual([`ok: ${folder}/free.sock is free`]);
  });

  it("tells that a running server does not serve there", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    expect(await check(address, true)).toEqual([
      `error: ${address} does not answer (ECONNREFUSED), and the server runs`,
    ]);
    expect(await check(`${folder}/none.sock`, true)).toEqual([
      `error: ${folder}/none.sock does not answer (ENOENT), and the server runs`,
    ]);
  });

  it("tells another program in its place, running or not", async () => {
    const other = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
    });
    await new Promise<void>((resolve) => {
      other.listen(0, "127.0.0.1", resolve);
    });
    try {
      const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
      expect(await check(address, false)).toEqual([
        expect.stringMatching(`^error: ${address} is taken by .*, and this server does not run$`),
      ]);
      expect(await check(address, true)).toEqual([
        expect.stringMatching(`^error: ${address} does not tell what this server has counted: .* has it$`),
      ]);
    } finally {
      other.close();
    }
  });

  it("names a folder that is not there, and a file in the socket's place", async () => {
    expect(await check(`${folder}/missing/metrics`, false)).toEqual([
      `error: the folder of ${folder}/missing/metrics is not there`,
    ]);
    writeFileSync(join(folder, "file"), "");
    expect(await check(`${folder}/file`, false)).toEqual([
      expect.stringMatching(`^error: ${folder}/file is there and no socket`),
    ]);
  });
});
