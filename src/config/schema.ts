// Every key of config.toml, a section a file: its type, default, unit and reason. `load.ts` reads the file against it;
// etc/config.toml, the reference and the manual page are made from it.
import { z } from "zod";
import { auth } from "./schema/auth.ts";
import { cluster } from "./schema/cluster.ts";
import { limits } from "./schema/limits.ts";
import { log } from "./schema/log.ts";
import { accounts, mail } from "./schema/mail.ts";
import { metrics } from "./schema/metrics.ts";
import { mta } from "./schema/mta.ts";
import { server } from "./schema/server.ts";
import { tls } from "./schema/tls.ts";

export const configSchema = z.strictObject({
  server,
  tls,
  auth,
  accounts,
  mail,
  mta,
  cluster,
  limits,
  metrics,
  log,
});

/** The whole config with its defaults; durations in ms. */
export type Config = z.infer<typeof configSchema>;
