// The log's fields are a promise (etc/log-fields.md): the compiler holds every call to them.
import { describe, it } from "vitest";
import type { Log } from "../../src/log/log.ts";

const nothing = (): void => {};
const log: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => log,
};

describe("log fields", () => {
  it("that the table does not know do not compile, however they come", () => {
    const known = { session: "1", address: "192.0.2.1" };
    log.info(known, "said");
    log.info({ ...known, messages: 2, user: undefined }, "said");
    log.info("said");
    const more = { ...known, adress: "192.0.2.1" };
    // @ts-expect-error: a name that the table has not
    log.info({ adress: "192.0.2.1" }, "said");
    // @ts-expect-error: by a variable
    log.warn(more, "said");
    // @ts-expect-error: by a spread
    log.error({ ...more, messages: 1 }, "said");
    const forms: ({ readonly session: string } | { readonly user: string; readonly adress: string })[] = [];
    for (const form of forms) {
      // @ts-expect-error: in one of several forms
      log.error(form, "said");
    }
    // @ts-expect-error: a value of another type
    log.info({ messages: "2" }, "said");
    // @ts-expect-error: in what stands in every line of a child
    log.child({ ...known, adress: "192.0.2.1" });
  });
});
