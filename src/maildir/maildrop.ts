// stopgap until the engine stands
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, unlinkSync } from "node:fs";
import { tryFlock } from "../host/flock.ts";
import { MessageFile } from "./message.ts";
export type MaildropEvent = { readonly kind: "none" };
export class Maildrop {
  #path: string;
  #fd: number;
  #names: { dir: string; name: string }[];
  #octets: number[] = [];
  measured = false;
  private constructor(path: string, fd: number, names: { dir: string; name: string }[]) {
    this.#path = path;
    this.#fd = fd;
    this.#names = names;
  }
  static async open(
    path: string,
    _options: { onEvent(event: MaildropEvent): void },
  ): Promise<
    | { kind: "open"; maildrop: Maildrop }
    | { kind: "locked" }
    | { kind: "failed"; code: string; reason: string; permanent: boolean }
  > {
    for (const part of ["new", "cur", "tmp"]) mkdirSync(`${path}/${part}`, { recursive: true });
    const fd = openSync(`${path}/dewey-pop3.lock`, "a+");
    if (!tryFlock(fd)) return { kind: "locked" };
    const names = ["new", "cur"].flatMap((dir) =>
      readdirSync(`${path}/${dir}`, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => ({ dir, name })),
    );
    names.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { kind: "open", maildrop: new Maildrop(path, fd, names) };
  }
  get count(): number {
    return this.#names.length;
  }
  uniqueId(index: number): string {
    return this.#names[index]!.name.split(":")[0]!;
  }
  octets(index: number): number {
    return this.#octets[index]!;
  }
  async measure(): Promise<void> {
    for (const [index, { dir, name }] of this.#names.entries()) {
      const file = await MessageFile.open(`${this.#path}/${dir}/${name}`);
      this.#octets[index] = await file.countOctets();
      file.close();
    }
    this.measured = true;
  }
  correctOctets(_index: number, _octets: number): void {}
  async openMessage(
    index: number,
  ): Promise<
    { kind: "message"; file: MessageFile } | { kind: "gone" } | { kind: "failed"; code: string; reason: string }
  > {
    const { dir, name } = this.#names[index]!;
    const path = `${this.#path}/${dir}/${name}`;
    if (!existsSync(path)) return { kind: "gone" };
    return { kind: "message", file: await MessageFile.open(path) };
  }
  async update({ deleted, retrieved }: { deleted: ReadonlySet<number>; retrieved: ReadonlySet<number> }): Promise<{
    removed: number;
    failed: readonly { index: number; code: string }[];
    alreadyGone: number;
  }> {
    for (const index of deleted) unlinkSync(`${this.#path}/${this.#names[index]!.dir}/${this.#names[index]!.name}`);
    for (const index of retrieved) {
      const { dir, name } = this.#names[index]!;
      if (!deleted.has(index) && dir === "new") renameSync(`${this.#path}/new/${name}`, `${this.#path}/cur/${name}:2,S`);
    }
    return { removed: deleted.size, failed: [], alreadyGone: 0 };
  }
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}
