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
  /** How long each server is driven before anything is measured. */
  readonly warmUpMs: number;
  /** Courier, whose messages wait for the client's delayed acknowledgements, takes most of the time: short forms leave it out of fetching. */
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

export function readArguments(): BenchArguments {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      server: { type: "string", default: "" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      "warm-up": { type: "string", default: "10" },
      folder: { type: "string", default: tmpdir() },
      json: { type: "string" },
      svg: { type: "string" },
      from: { type: "string" },
      check: { type: "boolean", default: false },
      warn: { type: "boolean", default: false },
      "write-expected": { type: "boolean", default: false },
    },
  });
  return {
    chosen:
      values.only === undefined
        ? workloads.filter(({ quick }) => quick || !values.quick)
        : values.only.split(",").flatMap(workloadsLike),
    servers: candidates.filter(({ name, maker }) => maker === "dovecot" || name.includes(values.server)),
    rounds: positive("--rounds", values.rounds ?? (values.quick ? "2" : "5")),
    measureMs: 1000 * positive("--seconds", values.seconds ?? (values.quick ? "0.5" : "3")),
    warmUpMs: 1000 * positive("--warm-up", values["warm-up"]),
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
