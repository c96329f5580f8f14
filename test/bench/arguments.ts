// The bench's command line.
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { type Candidate, candidates } from "./candidates.ts";
import { type Workload, workloads } from "./workloads.ts";

export interface BenchArguments {
  readonly chosen: readonly Workload[];
  readonly servers: readonly Candidate[];
  readonly rounds: number;
  readonly measureMs: number;
  /** Each server is driven for so long, again and again, until it becomes no cheaper. */
  readonly warmUpMs: number;
  /** Short: without Courier, whose messages wait for the client's delayed acknowledgements and take most of the time. */
  readonly quick: boolean;
  /** Where the Maildirs are laid out. */
  readonly folder: string;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  /** A report that `--json` wrote: nothing is measured. */
  readonly from: string | undefined;
  readonly check: boolean;
  readonly warn: boolean;
  readonly writeExpected: boolean;
}

/** @returns what to print where nothing is to be run */
export function readArguments(): BenchArguments | string {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      server: { type: "string", default: "" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      "warm-up": { type: "string" },
      folder: { type: "string", default: tmpdir() },
      json: { type: "string" },
      svg: { type: "string" },
      from: { type: "string" },
      check: { type: "boolean", default: false },
      warn: { type: "boolean", default: false },
      "write-expected": { type: "boolean", default: false },
    },
  });
  if (values.help) return help();
  return {
    chosen:
      values.only === undefined
        ? workloads.filter(({ quick }) => quick || !values.quick)
        : values.only.split(",").flatMap(workloadsLike),
    servers: candidates.filter(
      ({ name, maker }) =>
        maker === "dovecot" || (name.includes(values.server) && !(values.quick && maker === "courier")),
    ),
    rounds: positive("--rounds", values.rounds ?? (values.quick ? "2" : "5")),
    measureMs: 1000 * positive("--seconds", values.seconds ?? (values.quick ? "0.5" : "3")),
    warmUpMs: 1000 * positive("--warm-up", values["warm-up"] ?? (values.quick ? "2.5" : "5")),
    quick: values.quick,
    folder: values.folder,
    json: values.json,
    svg: values.svg,
    from: values.from,
    check: values.check,
    warn: values.warn,
    writeExpected: values["write-expected"],
  };
}

function help(): string {
  const width = Math.max(...workloads.map(({ name }) => name.length));
  const listed = workloads.map(
    ({ name, title, quick }) => `${quick ? "*" : " "} ${name.padEnd(width)}  ${title}`,
  );
  return `npm run bench -- [options]: our server, Dovecot and Courier side by side (scripts/install-peers installs them)

  --quick            the workloads with a star, without Courier, two short rounds: less than five minutes
  --only TEXT,…      workloads of these names, or that have them in their names
  --server TEXT      of ours and Courier, those whose name has it: separate, combined, courier; Dovecot always
  --rounds N         measurements of each server and workload (5; quick: 2)
  --seconds N        how long each takes (3; quick: 0.5)
  --warm-up SECONDS  each server is driven for so long before, without TLS and over it, three to eight times (quick:
                     four): until it becomes no cheaper (5; quick: 2.5)
  --folder DIR       where the Maildirs are laid out (${tmpdir()})
  --json FILE, --svg FILE
                     writes the report, and its chart
  --from FILE        measures nothing: takes the report that --json wrote
  --check [--warn]   compares the ratios with test/bench/expected.json; worse ones fail, or with --warn are told
  --write-expected   writes them there

Workloads:
${listed.join("\n")}`;
}

/** The workload of this name, else those whose names have it in them. */
function workloadsLike(text: string): readonly Workload[] {
  const exact = workloads.filter(({ name }) => name === text);
  const like = exact.length > 0 ? exact : workloads.filter(({ name }) => name.includes(text));
  if (like.length > 0) return like;
  const names = workloads.map(({ name }) => name).join(", ");
  throw new Error(`no workload is named like "${text}"; there are ${names}`);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} takes a number above 0, not "${text}"`);
  return value;
}
