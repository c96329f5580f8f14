// How a command of pop3-ctl ends early.

/** Ends the command with one line on standard error: exit status 1, or 2 where it was called wrongly. */
export class Refusal extends Error {
  readonly exitCode: 1 | 2;
  constructor(reason: string, exitCode: 1 | 2 = 1) {
    super(reason);
    this.exitCode = exitCode;
  }
}
