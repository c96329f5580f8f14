// What login processes need for TLS: the certificates with their private keys, read anew whenever their files change, and
// the session ticket keys, drawn here and changed regularly. Runs in master, the only process that reads a private key.
import { randomBytes } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Config } from "../config/schema.ts";
import type { Measured } from "../control/counters.ts";
import type { Log } from "../log/log.ts";
import { examineKeyPair, type KeyPair, type KeyPairFacts } from "../net/key-pair.ts";
import type { TlsSettings } from "../net/tls-endpoint.ts";

type TlsConfig = NonNullable<Config["tls"]>;

/** A file that cannot be used as it is. */
export interface TlsFault {
  readonly key: "tls.certificate" | "tls.private_key" | "tls.client_ca";
  readonly file: string;
  readonly reason: string;
  /** A certificate out of its dates still serves where there is no other: clients can be told to accept it. */
  readonly isFatal: boolean;
}

/** "tls.private_key: /etc/…/privkey.pem does not belong to the certificate …" */
export function formatTlsFault({ key, file, reason }: TlsFault): string {
  return `${key}: ${file} ${reason}`;
}

/** What is wrong with the files that `[tls]` names: for `--check`. */
export function tlsFaults(config: TlsConfig, nowMs: number): readonly TlsFault[] {
  const faults = pathsOf(config).flatMap((paths) => readKeyPair(paths, nowMs).fault ?? []);
  return [...faults, ...config.client_ca.flatMap((file) => readAuthority(file).fault ?? [])];
}

export interface TlsKeeperOptions {
  /** There is something new for the login processes. */
  onChange(): void;
  readonly log: Log;
}

export class TlsKeeper {
  readonly #options: TlsKeeperOptions;
  readonly #keyPairs = new Map<string, LoadedPair>();
  readonly #authorities = new Map<string, string>();
  #config: TlsConfig | undefined;
  #ticketKeys: readonly string[] = [newTicketKey()];
  #rotation: NodeJS.Timeout | undefined;
  #daily: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
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
    }
    void this.#watch();
    return [];
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
    const { log } = this.#options;
    const refuse = (fault: TlsFault, hasOld: boolean): void => {
      const { key, file, reason } = fault;
      if (hasOld) log.error({ key, file, reason }, "refused, the old one stays");
      else if (fault.isFatal) fatal.push(fault);
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
    for (const loaded of this.#keyPairs.values()) logDays(this.#options.log, loaded, "certificate in use");
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
      // A certificate and its key are two files: a look in between would find a pair that does not match.
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => this.#onFilesChanged(config), SETTLE_MS);
    });
    watcher.on("error", (error) => {
      this.#options.log.warn(
        { cause: String(error) },
        "certificates cannot be watched, SIGHUP reads them anew",
      );
    });
    // What happened before the watch stood.
    watcher.once("ready", () => this.#onFilesChanged(config));
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

/** OpenSSL's three parts: a name for the key, 128 bits for HMAC, 128 bits for AES. */
function newTicketKey(): string {
  return randomBytes(48).toString("base64");
}

interface PairPaths {
  readonly certificate: string;
  readonly privateKey: string;
}

interface LoadedPair {
  readonly paths: PairPaths;
  readonly keyPair: KeyPair;
  readonly facts: KeyPairFacts;
}

function pathsOf({ certificate, private_key }: TlsConfig): readonly PairPaths[] {
  return certificate.map((path, index) => ({ certificate: path, privateKey: private_key[index] ?? "" }));
}

function filesOf(config: TlsConfig): readonly string[] {
  return [...config.certificate, ...config.private_key, ...config.client_ca];
}

function nameOf({ certificate, privateKey }: PairPaths): string {
  return `${certificate}\0${privateKey}`;
}

function isSame(a: LoadedPair | undefined, b: LoadedPair | undefined): boolean {
  return a?.keyPair.certificate === b?.keyPair.certificate && a?.keyPair.privateKey === b?.keyPair.privateKey;
}

function readKeyPair(
  paths: PairPaths,
  nowMs: number,
): { readonly loaded?: LoadedPair; readonly fault?: TlsFault } {
  const fault = (part: keyof KeyPair, reason: string, isFatal = true): TlsFault => {
    const key = part === "certificate" ? "tls.certificate" : "tls.private_key";
    return { key, file: paths[part], reason, isFatal };
  };
  const certificate = readText(paths.certificate);
  if (certificate.kind === "failed") return { fault: fault("certificate", certificate.reason) };
  const privateKey = readText(paths.privateKey);
  if (privateKey.kind === "failed") return { fault: fault("privateKey", privateKey.reason) };
  const keyPair = { certificate: certificate.text, privateKey: privateKey.text };
  const examined = examineKeyPair(keyPair);
  if (examined.kind === "faulty") return { fault: fault(examined.part, examined.reason) };
  const { facts } = examined;
  const loaded = { paths, keyPair, facts };
  if (nowMs > facts.notAfterMs) {
    return {
      loaded,
      fault: fault("certificate", `expired at ${isoTime(facts.notAfterMs)}, renew it`, false),
    };
  }
  if (nowMs < facts.notBeforeMs) {
    const reason = `holds only from ${isoTime(facts.notBeforeMs)} on, set this host's clock right`;
    return { loaded, fault: fault("certificate", reason, false) };
  }
  return { loaded };
}

function readAuthority(file: string): { readonly text?: string; readonly fault?: TlsFault } {
  const fault = (reason: string): { fault: TlsFault } => {
    return { fault: { key: "tls.client_ca", file, reason, isFatal: true } };
  };
  const read = readText(file);
  if (read.kind === "failed") return fault(read.reason);
  if (!read.text.includes("-----BEGIN CERTIFICATE-----"))
    return fault("holds no certificate, expected PEM text");
  return { text: read.text };
}

function readText(
  file: string,
): { readonly kind: "text"; readonly text: string } | { readonly kind: "failed"; readonly reason: string } {
  try {
    return { kind: "text", text: readFileSync(file, "latin1") };
  } catch (error) {
    return { kind: "failed", reason: `cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
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

function isoTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function realpathOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
