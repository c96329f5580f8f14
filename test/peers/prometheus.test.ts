// etc/prometheus and etc/grafana with Debian's Prometheus: promtool on the rules, and the real program that scrapes the real
// server, evaluates the rules, and is asked every expression of the dashboard.
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { metricsAddress, scrape } from "../support/metrics.ts";
import { type RunningProgram, runOrThrow, startProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";

const etc = fileURLToPath(new URL("../../etc", import.meta.url));
const rulesFile = join(etc, "prometheus/dewey-pop3.rules.yml");

/** As far as the dashboard uses Grafana's schema (version 38). */
const datasource = z.strictObject({ type: z.literal("prometheus"), uid: z.literal("$" + "{datasource}") });
const gridPos = z.strictObject({
  h: z.int().min(1),
  w: z.int().min(1).max(24),
  x: z.int().min(0).max(23),
  y: z.int().min(0),
});
const panel = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("row"),
    id: z.int().positive(),
    title: z.string().min(1),
    collapsed: z.literal(false),
    panels: z.tuple([]),
    gridPos,
  }),
  z.strictObject({
    type: z.enum(["timeseries", "stat", "table"]),
    id: z.int().positive(),
    title: z.string().min(1),
    description: z.string(),
    datasource,
    gridPos,
    fieldConfig: z.strictObject({
      defaults: z.looseObject({
        unit: z.enum(["short", "reqps", "ops", "Bps", "bytes", "s", "percentunit"]),
      }),
      overrides: z.tuple([]),
    }),
    options: z.looseObject({}).optional(),
    targets: z
      .array(
        z.strictObject({
          refId: z.string().regex(/^[A-Z]$/),
          datasource,
          expr: z.string().min(1),
          legendFormat: z.string(),
          format: z.literal("table").optional(),
          instant: z.boolean().optional(),
        }),
      )
      .min(1),
  }),
]);
const dashboardSchema = z.strictObject({
  title: z.string(),
  uid: z.string().max(40),
  description: z.string(),
  tags: z.array(z.string()),
  schemaVersion: z.literal(38),
  version: z.int(),
  editable: z.boolean(),
  refresh: z.string(),
  time: z.strictObject({ from: z.string(), to: z.string() }),
  timezone: z.enum(["browser", "utc"]),
  graphTooltip: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  annotations: z.strictObject({ list: z.tuple([]) }),
  links: z.tuple([]),
  templating: z.strictObject({
    list: z.array(z.looseObject({ name: z.string(), type: z.enum(["datasource", "query"]) })),
  }),
  panels: z.array(panel),
});

const dashboard = dashboardSchema.parse(
  JSON.parse(readFileSync(join(etc, "grafana/dewey-pop3.json"), "utf8")),
);
const expressions = dashboard.panels.flatMap((each) =>
  each.type === "row" ? [] : each.targets.map(({ expr }) => expr),
);
/** With Grafana's variables put in, as Grafana does. */
const asAsked = (expression: string): string =>
  expression.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".+");
const namesIn = (text: string): string[] => text.match(/\bdewey_pop3_[a-z0-9_]+/g) ?? [];

describe("etc/prometheus", () => {
  it("is what promtool takes for config and rules", async () => {
    await runOrThrow("promtool", ["check", "config", join(etc, "prometheus/prometheus.yml")]);
    await runOrThrow("promtool", ["check", "rules", "--lint-fatal", rulesFile]);
  });

  it("calls when it should, and only then", async () => {
    const tests = join(etc, "prometheus/dewey-pop3.rules.test.yml");
    await runOrThrow("promtool", ["test", "rules", tests]);
    const alerts = [...readFileSync(rulesFile, "utf8").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const tried = readFileSync(tests, "utf8");
    // Once silent, once not.
    for (const alert of alerts) expect(tried.split(new RegExp(`alertname: ${alert}\\b`))).toHaveLength(3);
  });
});

describe("etc/grafana", () => {
  it("lays its panels out beside each other, with an id each", () => {
    const cells = new Set<string>();
    for (const { id, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, `panel ${id}`).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells, `panel ${id} at ${x},${y}`).not.toContain(`${x},${y}`);
          cells.add(`${x},${y}`);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it("uses the variables that it has", () => {
    const used = new Set(JSON.stringify(dashboard).match(/\$\{?\w+/g));
    used.delete("$__rate_interval");
    used.delete("$__all");
    const has = dashboard.templating.list.map(({ name }) => name);
    expect([...used].map((name) => name.replace(/^\$\{?/, "")).sort()).toEqual([...has].sort());
  });
});

describe("the real Prometheus", () => {
  let folder: string;
  let server: TestServer;
  let prometheus: RunningProgram;
  let api: string;

  beforeAll(async () => {
    const owner = mailOwner();
    folder = mkdtempSync(join(tmpdir(), "dewey-prometheus-"));
    chmodSync(folder, 0o755);
    const home = join(folder, "home");
    layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("Subject: one\n\n1\n")]]));
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      certificates: [await makeCertificate({ names: [{ type: "dns", value: "localhost" }] })],
      settings: {
        server: process.getuid?.() === 0 ? { metrics_user: "sync" } : {},
        metrics: { listen: "127.0.0.1:0" },
      },
    });
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.multiLine("RETR 1");
    await session.command("QUIT");
    const { port } = metricsAddress(server);
    const config = readFileSync(join(etc, "prometheus/prometheus.yml"), "utf8");
    writeFileSync(
      join(folder, "prometheus.yml"),
      `global: { scrape_interval: 1s, evaluation_interval: 1s }\n${config.replace("127.0.0.1:9911", `127.0.0.1:${port}`)}`,
    );
    copyFileSync(rulesFile, join(folder, "dewey-pop3.rules.yml"));
    const listen = await freePort();
    api = `http://127.0.0.1:${listen}/api/v1`;
    prometheus = await startProgram("prometheus", [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${listen}`,
    ]);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  interface Answer {
    readonly status: string;
    readonly error?: string;
    readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
  }
  const query = async (expression: string): Promise<Answer> =>
    (await (await fetch(`${api}/query?query=${encodeURIComponent(expression)}`)).json()) as Answer;

  it("scrapes the server", async () => {
    const value = await eventually("a scraped value", async () => {
      const { data } = await query('dewey_pop3_sessions_total{reason="quit"}').catch(() => ({
        data: undefined,
      }));
      return data?.result[0]?.value[1];
    });
    expect(value).toBe("1");
    const up = await query('up{job="dewey-pop3"}');
    expect(up.data.result.map(({ value: [, number] }) => number)).toEqual(["1"]);
  });

  it("takes what is served without a complaint of promtool's", async () => {
    const { text } = await scrape({ host: "127.0.0.1", port: metricsAddress(server).port });
    const { stderr, stdout } = await runOrThrow("promtool", ["check", "metrics"], { input: text });
    expect(`${stdout}${stderr}`).toBe("");
  });

  it("understands every expression of the dashboard, and has every metric that it names", async () => {
    const served = await eventually("metrics", async () => {
      const names = (await (await fetch(`${api}/label/__name__/values`)).json()) as {
        data: readonly string[];
      };
      return names.data.includes("dewey_pop3_build_info") ? names.data : undefined;
    });
    const { text } = await scrape({ host: "127.0.0.1", port: metricsAddress(server).port });
    const told = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = "", type]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    expect(expressions.length).toBeGreaterThan(20);
    for (const expression of expressions) {
      expect(await query(asAsked(expression)), expression).toMatchObject({ status: "success" });
      for (const name of namesIn(expression)) expect(told).toContain(name);
    }
    // Nothing that is told is left out of the dashboard.
    const shown = new Set(expressions.flatMap(namesIn));
    expect(told.filter((name) => !shown.has(name))).toEqual([]);
    expect(served).toContain("dewey_pop3_command_duration_seconds_bucket");
    for (const name of namesIn(readFileSync(rulesFile, "utf8"))) expect(told).toContain(name);
  });

  it("shows a number in every panel of the dashboard while people log in, read, delete and mistype", async () => {
    // Counted only when something goes wrong or two want one maildrop, or where each account's mail has a process of its own.
    const quiet = /_(?:limits_reached|proxies_refused|lock_waits|processes_ended|user_processes)_total/;
    const awaited = new Set(expressions.filter((expression) => !quiet.test(expression)));
    expect(expressions.filter((expression) => quiet.test(expression))).toHaveLength(5);
    await eventually(
      "a number from each expression",
      async () => {
        const session = await Pop3Connection.login(server.port, "mrose", "secret");
        await session.multiLine("RETR 1");
        await session.command("DELE 1");
        await session.command("DELE 1");
        await session.command("RSET");
        await session.command("QUIT");
        const { connection } = await Pop3Connection.open(server.port);
        await connection.command("USER mrose");
        await connection.command("PASS wrong");
        await connection.command("QUIT");
        for (const expression of awaited) {
          const { data } = await query(asAsked(expression));
          // NaN is what a rate of nothing is divided by.
          if (data.result.some(({ value: [, number] }) => Number.isFinite(Number(number))))
            awaited.delete(expression);
        }
        return awaited.size === 0 ? true : undefined;
      },
      60_000,
    ).catch((error: unknown) => {
      throw new Error(`without a number: ${[...awaited].join("\n")}`, { cause: error });
    });
  });

  it("evaluates the rules, and calls for a certificate that expires soon or for nothing", async () => {
    interface Rules {
      data: { groups: readonly { rules: readonly { name: string; health: string; state: string }[] }[] };
    }
    const rules = await eventually("evaluated rules", async () => {
      const { data } = (await (await fetch(`${api}/rules`)).json()) as Rules;
      const all = data.groups.flatMap((group) => group.rules);
      return all.length > 0 && all.every(({ health }) => health !== "unknown") ? all : undefined;
    });
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    expect(rules.filter(({ state }) => state === "firing")).toEqual([]);
  });
});
