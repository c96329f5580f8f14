import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { nodeOptions, optionsFor } from "../../../src/processes/master/node-options.ts";

describe("Node.js's options for a child", () => {
  it("are all taken by the Node.js that runs", () => {
    const script = "process.stdout.write(JSON.stringify(process.execArgv))";
    const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeOptions(), "-e", script], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect((JSON.parse(stdout) as string[]).slice(0, nodeOptions().length)).toEqual(nodeOptions());
  });

  it("leave out V8's where it does not know them, since Node.js would not start", () => {
    const known = "  --memory-reducer (use memory reducer)\n        type: bool  default: --memory-reducer\n";
    expect(optionsFor(known)).toContain("--no-memory-reducer");
    expect(optionsFor(known).join()).not.toContain("old-space");
    expect(optionsFor("  --initial-old-space-size (initial old space size (in Mbytes))").join()).toContain(
      "old-space",
    );
    const other = "  --memory-reducer-for-small-heaps (use memory reducer for small heaps)\n";
    expect(optionsFor(other)).not.toContain("--no-memory-reducer");
    expect(spawnSync(process.execPath, ["--no-such-option-of-v8", "-e", "0"]).status).not.toBe(0);
  });
});
