// Beside programs that deliver, flag, move and delete all the time each message is delivered exactly once.
import { describeBusyMaildir } from "./support/busy-maildir-suite.ts";

describeBusyMaildir(3_000);
