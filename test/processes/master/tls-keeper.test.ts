// Changes of certificates that no watch of their folders tells.
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCertificate } from "../../../scripts/certificate.mjs";
import { parseConfig } from "../../../src/config/load.ts";
import type { TlsConfig } from "../../../src/processes/master/tls-files.ts";
import { TlsKeeper } from "../../../src/processes/master/tls-keeper.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let keeper: TlsKeeper;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-certificates-"));
});
afterEach(async () => {
  await keeper.close();
  rmSync(folder, { recursive: true });
});

/** A folder for each renewal, and a link to the one that is served: current → 1. */
async function putGeneration(generation: string): Promise<string> {
  const made = await makeCertificate({
    subject: `CN=${generation}`,
    names: [{ type: "dns", value: "a.example" }],
  });
  mkdirSync(join(folder, generation));
  writeFileSync(join(folder, generation, "cert.pem"), made.certificate);
  writeFileSync(join(folder, generation, "key.pem"), made.privateKey);
  symlinkSync(generation, join(folder, "next"));
  renameSync(join(folder, "next"), join(folder, "current"));
  return made.certificate;
}

function tlsConfig(): TlsConfig {
  const [certificate, key] = ["cert.pem", "key.pem"].map((name) => join(folder, "current", name));
  const parsed = parseConfig(`[tls]\ncertificate = "${certificate}"\nprivate_key = "${key}"`, "config.toml");
  if (parsed.kind === "faulty" || parsed.config.tls === undefined) throw new Error("bad test");
  return parsed.config.tls;
}

describe("TlsKeeper", () => {
  it("takes a certificate whose folder was exchanged by a link above it, and says what it could not take", async () => {
    const first = await putGeneration("1");
    let changes = 0;
    keeper = new TlsKeeper({ log: pino({ enabled: false }), onChange: () => changes++, lookEveryMs: 10 });
    expect(keeper.configure(tlsConfig())).toEqual([]);
    const served = () => keeper.settings()?.keyPairs[0]?.certificate;
    expect(served()).toBe(first);
    const second = await putGeneration("2");
    await eventually("the second certificate", () => served() === second);
    expect(changes).toBe(1);
    // Half of a renewal.
    const third = await makeCertificate({ subject: "CN=3", names: [{ type: "dns", value: "a.example" }] });
    writeFileSync(join(folder, "2/key.pem"), third.privateKey);
    await eventually("the refusal", () => keeper.kept.length === 1);
    expect(keeper.kept).toMatchObject([{ key: "tls.private_key", file: join(folder, "current/key.pem") }]);
    expect(served()).toBe(second);
    writeFileSync(join(folder, "2/cert.pem"), third.certificate);
    await eventually("the third certificate", () => served() === third.certificate);
    expect(keeper.kept).toEqual([]);
  });
});
