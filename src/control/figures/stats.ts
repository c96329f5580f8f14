// What all processes have counted, as one server's. Pure; for `pop3-ctl stats` and `top`, and for metrics.
import { type CommandTimes, sumCommandTimes } from "../counters/command-times.ts";
import { type Counted, sumCounters } from "../counters/counters.ts";
import type { AnswerOf } from "../link/questions.ts";

export interface NamedProcess extends ProcessFacts {
  readonly name: string;
}

type ProcessFacts = AnswerOf<"stats">["process"];

export interface Stats {
  readonly counters: readonly Counted[];
  readonly commandTimes: readonly CommandTimes[];
  readonly processes: readonly NamedProcess[];
}

/** @param answers with the names of the processes that gave them */
export function statsOf(
  answers: readonly { readonly from: string; readonly answer: AnswerOf<"stats"> }[],
): Stats {
  return {
    counters: sumCounters(answers.flatMap(({ answer }) => answer.counters)),
    commandTimes: sumCommandTimes(answers.flatMap(({ answer }) => answer.commandTimes)),
    processes: answers
      .map(({ from, answer }) => ({ name: from, ...answer.process }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
