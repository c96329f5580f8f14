// Which back end nginx is to connect an account's client to: the account's own by its passwd line, else by rendezvous
// hashing; where mail is on shared storage, another one while that is down. Runs in the auth process.
import { isIP } from "node:net";
import type { Account } from "../../accounts/account.ts";
import type { Log } from "../../log/log.ts";
import { formatListenAddress, type ListenAddress } from "../../net/address.ts";
import { type Probed, probeBackEnd } from "../../net/probe-back-end.ts";
import { byPreference } from "./rendezvous.ts";

export interface BackEndSettings {
  readonly backEnds: readonly ListenAddress[];
  /** Every back end has all the mail. */
  readonly sharedStorage: boolean;
}

export type BackEndChoice =
  | { readonly kind: "back-end"; readonly address: ListenAddress }
  /** For the log: what has to be mended before this account can be served. */
  | { readonly kind: "unusable"; readonly reason: string }
  /** All that have its mail are down. */
  | { readonly kind: "unavailable" };

type Probe = (address: ListenAddress) => Promise<Probed>;

export class BackEnds {
  readonly #log: Log;
  readonly #probe: Probe;
  readonly #now: () => number;
  #settings: BackEndSettings;
  #configured: ReadonlyMap<string, ListenAddress>;
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    settings: BackEndSettings,
    log: Log,
    probe: Probe = (address) => probeBackEnd(address, PATIENCE_MS),
    now: () => number = () => performance.now(),
  ) {
    this.#settings = settings;
    this.#configured = byName(settings.backEnds);
    this.#log = log;
    this.#probe = probe;
    this.#now = now;
    this.#timer = setInterval(() => void this.probeAll(), EVERY_MS).unref();
  }

  configure(settings: BackEndSettings): void {
    this.#settings = settings;
    this.#configured = byName(settings.backEnds);
  }

  choose(account: Account): BackEndChoice {
    const own = this.#ownOf(account);
    if (own.kind === "unusable") return own;
    const names = [...this.#configured.keys()];
    const candidates: ListenAddress[] = own.kind === "own" ? [own.address] : [];
    if (own.kind === "none" || this.#settings.sharedStorage)
      candidates.push(...byPreference(account.user, names).map((name) => this.#configured.get(name)!));
    if (candidates.length === 0)
      return {
        kind: "unusable",
        reason: 'no back end: neither cluster.backends nor an extra field "host" names one',
      };
    const possible = this.#settings.sharedStorage ? candidates : candidates.slice(0, 1);
    const address = possible.find((each) => this.#isUp(each));
    return address === undefined ? { kind: "unavailable" } : { kind: "back-end", address };
  }

  /** Asks all that are in use whether they serve. */
  async probeAll(): Promise<void> {
    for (const address of this.#configured.values()) this.#watch(address);
    const nowMs = this.#now();
    await Promise.all(
      [...this.#watched].map(async ([name, watched]) => {
        if (nowMs - watched.usedAtMs > FORGET_MS && !this.#configured.has(name)) this.#watched.delete(name);
        else await this.#probeOne(name, watched);
      }),
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #probeOne(name: string, watched: Watched): Promise<void> {
    if (watched.isProbed) return;
    watched.isProbed = true;
    const probed = await this.#probe(watched.address);
    watched.isProbed = false;
    if (probed.kind === "serves") {
      if (watched.failures >= FAILURES_TO_BE_DOWN) this.#log.info({ backEnd: name }, "back end serves again");
      watched.failures = 0;
      return;
    }
    const wasUp = watched.failures < FAILURES_TO_BE_DOWN;
    watched.failures += probed.isCertain ? FAILURES_TO_BE_DOWN : 1;
    if (wasUp && watched.failures >= FAILURES_TO_BE_DOWN)
      this.#log.error({ backEnd: name, reason: probed.reason }, "back end does not serve");
  }

  /** Until it has been asked, it counts as up. */
  #isUp(address: ListenAddress): boolean {
    return this.#watch(address).failures < FAILURES_TO_BE_DOWN;
  }

  #watch(address: ListenAddress): Watched {
    const name = formatListenAddress(address);
    let watched = this.#watched.get(name);
    if (watched === undefined) {
      watched = { address, failures: 0, isProbed: false, usedAtMs: 0 };
      this.#watched.set(name, watched);
    }
    watched.usedAtMs = this.#now();
    return watched;
  }

  /** Dovecot's extra fields `host` and `port`; its port is by default that of the back end with this address. */
  #ownOf({
    extra,
  }: Account):
    | { readonly kind: "own"; readonly address: ListenAddress }
    | { readonly kind: "none" }
    | Extract<BackEndChoice, { kind: "unusable" }> {
    const host = extra.get("host");
    if (host === undefined) return { kind: "none" };
    if (host === true || isIP(host) === 0)
      return { kind: "unusable", reason: 'the extra field "host" is no IP address, and nginx takes no name' };
    const port = extra.get("port") ?? this.#settings.backEnds.find((each) => each.host === host)?.port ?? 110;
    const number = typeof port === "string" && /^[0-9]{1,5}$/.test(port) ? Number.parseInt(port, 10) : port;
    if (typeof number !== "number" || number < 1 || number > 65_535)
      return { kind: "unusable", reason: 'the extra field "port" is no port' };
    return { kind: "own", address: { host, port: number } };
  }
}

interface Watched {
  readonly address: ListenAddress;
  failures: number;
  /** Its answer is still awaited. */
  isProbed: boolean;
  usedAtMs: number;
}

/** A client that was cut off and comes back within seconds has to find another back end. */
const EVERY_MS = 1_000;
const PATIENCE_MS = 1_500;
const FAILURES_TO_BE_DOWN = 2;
/** One that only an account's line named. */
const FORGET_MS = 10 * 60_000;

function byName(backEnds: readonly ListenAddress[]): ReadonlyMap<string, ListenAddress> {
  return new Map(backEnds.map((address) => [formatListenAddress(address), address]));
}
