// A message on its way to a client that cannot take it as it is stored: its surrogate, and what `mail.workarounds` put right.
// Runs in the mailbox process.
import type { Presentation, Traits } from "../../maildir/presentation.ts";
import { makeSurrogate } from "../../mime/make-surrogate.ts";
import type { Surrogate } from "../../mime/surrogate.ts";
import { WorkaroundFilter } from "../../mime/workarounds.ts";

export class Presenter {
  readonly #surrogate: Surrogate | undefined;
  readonly #filter: WorkaroundFilter | undefined;

  private constructor(surrogate: Surrogate | undefined, filter: WorkaroundFilter | undefined) {
    this.#surrogate = surrogate;
    this.#filter = filter;
  }

  /** Undefined when the message goes out as it is stored, as most do. */
  static for(traits: Traits | undefined, { utf8Headers, workarounds }: Presentation): Presenter | undefined {
    const surrogate = utf8Headers === "surrogate" ? traits?.surrogate : undefined;
    if (surrogate === undefined && workarounds.length === 0) return undefined;
    return new Presenter(
      surrogate && makeSurrogate(surrogate.kind),
      workarounds.length === 0 ? undefined : new WorkaroundFilter(workarounds),
    );
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    return this.#filtered(this.#surrogate === undefined ? [chunk] : this.#surrogate.push(chunk));
  }

  finish(): readonly Uint8Array[] {
    const rest = this.#filtered(this.#surrogate?.finish() ?? []);
    return this.#filter === undefined ? rest : [...rest, this.#filter.finish()];
  }

  #filtered(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    const filter = this.#filter;
    return filter === undefined ? pieces : pieces.map((piece) => filter.push(piece));
  }
}
