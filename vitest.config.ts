import { defineConfig } from "vitest/config";

// unit: pure logic and single modules. conversation: C:/S: dialogues. server: the built commands as real processes.
// peers: real programs from Debian's packages (scripts/install-peers).
const project = (name: string, include: string[], timeoutMs: number) => ({
  test: {
    name,
    include,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    setupFiles: [name === "unit" ? "test/support/fuzz.ts" : "test/support/known-fields.ts"],
  },
});

export default defineConfig({
  test: {
    // Most of a server test is waiting: three of them keep two cores busy.
    maxWorkers: 3,
    projects: [
      project(
        "unit",
        [
          "test/{pop3,sasl,octets,mime,log,control,maildir,accounts,auth,net,config,processes,host,doctor,setup,manual,library,bench}/**/*.test.ts",
          "test/*.test.ts",
        ],
        30_000,
      ),
      project("conversation", ["test/conversation/**/*.test.ts"], 60_000),
      project("server", ["test/server/**/*.test.ts"], 60_000),
      project("peers", ["test/peers/**/*.test.ts"], 180_000),
    ],
  },
});
