// How a command of pop3-ctl ends early.

/** Ends the command with one line on standard error and exit status 1. */
export class Refusal extends Error {}
