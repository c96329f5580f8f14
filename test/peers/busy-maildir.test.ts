// Beside programs that deliver, flag, move and delete all the time each message is delivered exactly once: the long run.
import { describeBusyMaildir } from "../server/support/busy-maildir-suite.ts";

describeBusyMaildir(30_000);
