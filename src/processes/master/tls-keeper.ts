// What login processes need for TLS: the certificates with their private keys, read anew whenever their files change, and
// the session ticket keys, drawn here and changed regularly. Runs in master, the only process that reads a private key.
import { randomBytes } from "node:crypto";
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Measured } from "../../control/counters/counters.ts";
import type { Log } from "../../log/log.ts";
import type { TlsSettings } from "../../net/tls-endpoint.ts";
import {
  expiredListReason,
  filesOf,
  isoTime,
  isSame,
  type LoadedLists,
  type LoadedPair,
  nameOf,
  pathsOf,
  readAuthority,
  readKeyPair,
  readRevocationLists,
  type TlsConfig,
  type TlsFault,
} from "./tls-files.ts";

export interface TlsKeeperOptions {
  /** There is something new for the login processes. */
  onChange(): void;
  readonly log: Log;
  /** How often it looks by itself. */
  readonly lookEveryMs?: number;
}

export class TlsKeeper {
  readonly #options: TlsKeeperOptions;
  readonly #keyPairs = new Map<string, LoadedPair>();
  readonly #authorities = new Map<string, string>();
  readonly #revocationLists = new Map<string, LoadedLists>();
  #config: TlsConfig | undefined;
  #ticketKeys: readonly string[] = [newTicketKey()];
  #rotation: NodeJS.Timeout | undefined;
  #daily: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** What the files were when they were last read, or waited for to settle. */
  #seen = "";
  #kept: readonly TlsFault[] = [];
  #watcher: FSWatcher | undefined;

  constructor(options: TlsKeeperOptions) {
    this.#options = options;
  }

  /**
   * Reads what the config names, and watches it from now on. A faulty file is refused, and what was read from it before
   * stays; where nothing was, the config as a whole is refused, and the one before it stays.
   *
   * @returns why the config was refused
   */
  configure(config: TlsConfig | undefined): readonly TlsFault[] {
    const refused = config === undefined ? [] : this.#read(config);
    if (refused.length > 0) return refused;
    this.#config = config;
    this.#stopTimers();
    if (config !== undefined) {
      this.#rotation = setInterval(() => this.#rotate(), config.ticket_lifetime).unref();
      this.#daily = setInterval(() => this.#logDays(), DAY_MS).unref();
      const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
      this.#looking = setInterval(() => this.#look(config), lookEveryMs).unref();
    }
    void this.#watch();
    return [];
  }

  /** Faulty files of the last look, in whose place what was read before is served. */
  get kept(): readonly TlsFault[] {
    return this.#kept;
  }

  /** Undefined without `[tls]`. */
  settings(): TlsSettings | undefined {
    const config = this.#config;
    if (config === undefined) return undefined;
    return {
      keyPairs: pathsOf(config).flatMap((paths) => this.#keyPairs.get(nameOf(paths))?.keyPair ?? []),
      minVersion: config.min_version,
      ciphers: config.ciphers,
      clientAuthorities: config.client_ca.flatMap((file) => this.#authorities.get(file) ?? []),
      revocationLists: config.client_crl.flatMap((file) => this.#revocationLists.get(file)?.lists ?? []),
      ticketKeys: this.#ticketKeys,
      ticketLifetimeMs: config.ticket_lifetime,
    };
  }

  async close(): Promise<void> {
    this.#stopTimers();
    await this.#stopWatching();
  }

  /** @returns the faults that leave a place empty */
  #read(config: TlsConfig): readonly TlsFault[] {
    const fatal: TlsFault[] = [];
    const kept: TlsFault[] = [];
    this.#seen = appearance(config);
    const { log } = this.#options;
    const refuse = (fault: TlsFault, hasOld: boolean): void => {
      const { key, file, reason } = fault;
      if (hasOld) {
        kept.push(fault);
        log.error({ key, file, reason }, "refused, the old one stays");
      } else if (fault.isFatal) fatal.push(fault);
      else log.error({ key, file, reason }, "served all the same, there is no other");
    };
    for (const paths of pathsOf(config)) {
      const old = this.#keyPairs.get(nameOf(paths));
      const { loaded, fault } = readKeyPair(paths, Date.now());
      if (fault !== undefined) refuse(fault, old !== undefined && !isSame(old, loaded));
      if (loaded === undefined || (fault !== undefined && old !== undefined) || isSame(old, loaded)) continue;
      this.#keyPairs.set(nameOf(paths), loaded);
      logDays(log, loaded, old === undefined ? "certificate read" : "certificate renewed");
    }
    for (const file of config.client_ca) {
      const { text, fault } = readAuthority(file);
      if (fault !== undefined) refuse(fault, this.#authorities.has(file));
      if (text !== undefined) this.#authorities.set(file, text);
    }
    for (const file of config.client_crl) {
      const old = this.#revocationLists.get(file);
      const { loaded, fault } = readRevocationLists(file, Date.now());
      const isNew = loaded !== undefined && loaded.lists.join() !== old?.lists.join();
      if (fault !== undefined) refuse(fault, old !== undefined && (isNew || loaded === undefined));
      if (loaded === undefined || !isNew || (fault !== undefined && old !== undefined)) continue;
      this.#revocationLists.set(file, loaded);
      const { lists, nextUpdateMs } = loaded;
      const until = nextUpdateMs === undefined ? {} : { notAfter: isoTime(nextUpdateMs) };
      log.info({ file, count: lists.length, ...until }, "revocation list read");
    }
    this.#kept = kept;
    return fatal;
  }

  #rotate(): void {
    // The last generation still opens the tickets that it made: none becomes worthless before its time.
    this.#ticketKeys = [newTicketKey(), ...this.#ticketKeys.slice(0, 1)];
    this.#options.onChange();
  }

  /** As of now, for pop3-ctl and metrics. */
  daysLeft(): readonly Measured[] {
    const pairs = this.#config === undefined ? [] : pathsOf(this.#config);
    return pairs.flatMap((paths) => {
      const loaded = this.#keyPairs.get(nameOf(paths));
      return loaded === undefined ? [] : [{ labels: [paths.certificate], value: daysLeftOf(loaded) }];
    });
  }

  #logDays(): void {
    const { log } = this.#options;
    for (const loaded of this.#keyPairs.values()) logDays(log, loaded, "certificate in use");
    for (const [file, { nextUpdateMs = Number.POSITIVE_INFINITY }] of this.#revocationLists)
      if (Date.now() > nextUpdateMs)
        log.error({ key: "tls.client_crl", file, reason: expiredListReason(nextUpdateMs) }, "out of date");
  }

  /** Watches folders, not files: certbot replaces links, others rename over files. */
  async #watch(): Promise<void> {
    const config = this.#config;
    await this.#stopWatching();
    if (config === undefined || this.#config !== config) return;
    const files = new Set<string>();
    const folders = new Set<string>();
    const addPaths = (): void => {
      for (const file of filesOf(config)) {
        for (const path of [join(realpathOr(dirname(file)), basename(file)), realpathOr(file)]) {
          files.add(path);
          folders.add(dirname(path));
        }
      }
    };
    addPaths();
    const watcher = watch([...folders], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => !files.has(path) && !folders.has(path),
    });
    this.#watcher = watcher;
    watcher.on("all", () => {
      addPaths();
      if (!watcher.closed) watcher.add([...folders]);
      this.#readSettled(config);
    });
    watcher.on("error", (error) => {
      this.#options.log.warn(
        { cause: String(error) },
        "certificates cannot be watched, changes are noticed some seconds later",
      );
    });
    // What happened before the watch stood.
    watcher.once("ready", () => this.#onFilesChanged(config));
  }

  /**
   * What no watch tells: a link among the folders above that leads elsewhere now, a file whose owner or mode was mended after it
   * could not be watched, another host's change on NFS.
   */
  #look(config: TlsConfig): void {
    const seen = appearance(config);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#readSettled(config);
  }

  /** A certificate and its key are two files: a look in between would find a pair that does not match. */
  #readSettled(config: TlsConfig): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#onFilesChanged(config), SETTLE_MS);
  }

  #onFilesChanged(config: TlsConfig): void {
    if (this.#config !== config) return;
    const before = JSON.stringify(this.settings());
    this.#read(config);
    if (JSON.stringify(this.settings()) !== before) this.#options.onChange();
  }

  #stopTimers(): void {
    clearInterval(this.#rotation);
    clearInterval(this.#daily);
    clearInterval(this.#looking);
    clearTimeout(this.#settling);
  }

  async #stopWatching(): Promise<void> {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    await watcher?.close();
  }
}

const DAY_MS = 24 * 3_600_000;

/** Whoever renews certificates by a timer does so a month before; at two weeks something is wrong. */
const WARN_DAYS = 14;

const SETTLE_MS = 500;
const LOOK_EVERY_MS = 10_000;

/** The same string as long as no file has changed, its owner and mode included. */
function appearance(config: TlsConfig): string {
  return filesOf(config)
    .map((file) => {
      try {
        const { dev, ino, size, mtimeMs, ctimeMs } = statSync(file);
        return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    })
    .join();
}

/** OpenSSL's three parts: a name for the key, 128 bits for HMAC, 128 bits for AES. */
function newTicketKey(): string {
  return randomBytes(48).toString("base64");
}

function daysLeftOf({ facts }: LoadedPair): number {
  return Math.floor((facts.notAfterMs - Date.now()) / DAY_MS);
}

function logDays(log: Log, loaded: LoadedPair, message: string): void {
  const { paths, facts } = loaded;
  const daysLeft = daysLeftOf(loaded);
  log[daysLeft < WARN_DAYS ? "warn" : "info"](
    {
      file: paths.certificate,
      names: facts.names,
      keyType: facts.keyType,
      notAfter: isoTime(facts.notAfterMs),
      daysLeft,
    },
    daysLeft < WARN_DAYS ? `${message}, renew it` : message,
  );
}

function realpathOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
