import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { saslprep } from "../../src/accounts/passwords/saslprep.ts";
import type { MechanismContext, ScramHash, ServerMechanism, Step } from "../../src/sasl/mechanism.ts";
import { scram } from "../../src/sasl/scram.ts";
import { atLeast } from "../support/fuzz.ts";
import { ScramClient, verifierOf } from "../support/scram-client.ts";
import { contextOf } from "./context.ts";

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (data: Uint8Array): string => Buffer.from(data).toString();
const binding = new Uint8Array(32).fill(7);

type StepOf<K extends Step["kind"]> = Extract<Step, { kind: K }>;
function expectKind<K extends Step["kind"]>(step: Step, kind: K): StepOf<K> {
  expect(step.kind, JSON.stringify(step)).toBe(kind);
  return step as StepOf<K>;
}

/** Runs an exchange to its end against what a server stores for `secret`. */
function run(
  exchange: ServerMechanism,
  client: ScramClient,
  hash: ScramHash,
  stored = verifierOf(hash, "secret"),
): Step {
  const first = exchange.start(octets(client.first));
  if (first.kind !== "verifier") return first;
  const challenge = expectKind(first.proceed(stored), "challenge");
  return exchange.next(octets(client.final(text(challenge.data))));
}

const plainScram = (context: Partial<MechanismContext> = {}) =>
  scram("SHA-256", "without").create(contextOf(context));
const plus = (context: Partial<MechanismContext> = {}) =>
  scram("SHA-256", "with").create(contextOf({ channelBinding: binding, ...context }));
const options = { hash: "SHA-256", user: "mrose", password: "secret" } as const;

describe("SCRAM", () => {
  it.each([
    {
      rfc: "RFC 5802 §5",
      hash: "SHA-1" as const,
      nonce: "3rfcNHYJY1ZVvWVs7j",
      salt: "QSXCR+Q6sek8bf92",
      clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
      serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
      clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    },
    {
      rfc: "RFC 7677 §3",
      hash: "SHA-256" as const,
      nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
      salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
      clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
      serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      clientFinal:
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    },
  ])(
    "plays the example of $rfc",
    ({ hash, nonce, salt, clientFirst, serverFirst, clientFinal, serverFinal }) => {
      const exchange = scram(hash, "without").create(contextOf({ makeNonce: () => nonce }));
      expect(exchange.start(undefined)).toEqual({ kind: "challenge", data: new Uint8Array(0) });
      const first = expectKind(exchange.next(octets(clientFirst)), "verifier");
      expect(first).toMatchObject({ hash, authenticationIdentity: "user", authorizationIdentity: "" });
      const stored = verifierOf(hash, "pencil", Buffer.from(salt, "base64"), 4096);
      expect(text(expectKind(first.proceed(stored), "challenge").data)).toBe(serverFirst);
      const proof = expectKind(exchange.next(octets(clientFinal)), "proof");
      expect(proof).toMatchObject({ hash, authenticationIdentity: "user", verifier: stored, isRight: true });
      expect(text(proof.serverFinal)).toBe(serverFinal);
    },
  );

  it("tells a wrong password at the end", () => {
    const step = run(plainScram(), new ScramClient({ ...options, password: "wrong" }), "SHA-256");
    expect(step).toMatchObject({ kind: "proof", isRight: false });
  });

  it("hands over an authorization identity, and names with a comma and an equals sign", () => {
    const client = new ScramClient({ ...options, user: "a,b=c", gs2Header: "n,a=d=2Ce=3Df," });
    expect(run(plainScram(), client, "SHA-256")).toMatchObject({
      kind: "proof",
      authenticationIdentity: "a,b=c",
      authorizationIdentity: "d,e=f",
      isRight: true,
    });
  });

  it("prepares names by SASLprep, and refuses those that it forbids", () => {
    const step = plainScram({ prepareName: saslprep }).start(octets("n,,n=I\u00adX,r=nonce"));
    expect(step).toMatchObject({ kind: "verifier", authenticationIdentity: "IX" });
    expect(plainScram({ prepareName: saslprep }).start(octets("n,,n=a\u0007,r=nonce")).kind).toBe(
      "malformed",
    );
    expect(plainScram({ prepareName: saslprep }).start(octets("n,,n=\u00ad,r=nonce")).kind).toBe("malformed");
  });

  it("passes over extensions that it does not know, in both messages", () => {
    const exchange = plainScram();
    const first = expectKind(exchange.start(octets("n,,n=mrose,r=nonce,x=1,Y=2")), "verifier");
    expectKind(first.proceed(verifierOf("SHA-256", "secret")), "challenge");
    const final = `c=biws,r=nonceserver-nonce,x=1,p=${Buffer.alloc(32).toString("base64")}`;
    expect(exchange.next(octets(final)).kind).toBe("proof");
  });

  it("refuses an extension that it would have to understand", () => {
    expect(plainScram().start(octets("n,,m=1,n=mrose,r=nonce"))).toEqual({
      kind: "refused",
      reason: "extensions-not-supported",
    });
  });

  it.each([
    ["nothing", ""],
    ["no header", "n=mrose,r=nonce"],
    ["another flag", "x,,n=mrose,r=nonce"],
    ["a flag with a value that takes none", "n=tls-exporter,,n=mrose,r=nonce"],
    ["p without a channel", "p,,n=mrose,r=nonce"],
    ["p with an empty channel", "p=,,n=mrose,r=nonce"],
    ["no nonce", "n,,n=mrose"],
    ["an empty nonce", "n,,n=mrose,r="],
    ["a nonce with a space", "n,,n=mrose,r=no nce"],
    ["a nonce of 513 octets", `n,,n=mrose,r=${"r".repeat(513)}`],
    ["an empty name", "n,,n=,r=nonce"],
    ["a bare equals sign in the name", "n,,n=m=rose,r=nonce"],
    ["a lower-case escape", "n,,n=m=2crose,r=nonce"],
    ["an empty authorization identity", "n,a=,n=mrose,r=nonce"],
    ["a NUL", "n,,n=mro\0se,r=nonce"],
    ["a name of 256 octets", `n,,n=${"m".repeat(256)},r=nonce`],
    ["a line end behind it", "n,,n=mrose,r=nonce\n"],
    ["an extension without a value", "n,,n=mrose,r=nonce,x="],
  ])("refuses a first message with %s as malformed", (_, message) => {
    expect(plainScram().start(octets(message)).kind).toBe("malformed");
  });

  it("refuses what is not UTF-8 as malformed", () => {
    expect(plainScram().start(Uint8Array.of(...octets("n,,n=m"), 0xff, ...octets(",r=nonce"))).kind).toBe(
      "malformed",
    );
  });

  const proof = Buffer.alloc(32).toString("base64");
  it.each([
    ["nothing", ""],
    ["another nonce", `c=biws,r=nonceserver-nonc,p=${proof}`],
    ["the client's nonce alone", `c=biws,r=nonce,p=${proof}`],
    ["no proof", "c=biws,r=nonceserver-nonce"],
    ["two proofs", `c=biws,r=nonceserver-nonce,p=${proof},p=${proof}`],
    ["a proof of 31 octets", `c=biws,r=nonceserver-nonce,p=${Buffer.alloc(31).toString("base64")}`],
    ["a proof that is not base64", `c=biws,r=nonceserver-nonce,p=${proof.slice(1)}`],
    ["a channel that is not base64", `c=bi=s,r=nonceserver-nonce,p=${proof}`],
    ["an extension that must be understood", `c=biws,r=nonceserver-nonce,m=x,p=${proof}`],
    ["another order", `r=nonceserver-nonce,c=biws,p=${proof}`],
  ])("refuses a final message with %s as malformed", (_, message) => {
    const exchange = plainScram();
    const first = expectKind(exchange.start(octets("n,,n=mrose,r=nonce")), "verifier");
    expectKind(first.proceed(verifierOf("SHA-256", "secret")), "challenge");
    expect(exchange.next(octets(message)).kind).toBe("malformed");
  });

  it("refuses a final message for another header than the first one's", () => {
    const exchange = plainScram();
    const first = expectKind(exchange.start(octets("n,,n=mrose,r=nonce")), "verifier");
    expectKind(first.proceed(verifierOf("SHA-256", "secret")), "challenge");
    const y = Buffer.from("y,,").toString("base64");
    expect(exchange.next(octets(`c=${y},r=nonceserver-nonce,p=${proof}`))).toEqual({
      kind: "refused",
      reason: "channel-bindings-dont-match",
    });
  });

  it("ends on any messages without a fault", () => {
    const attribute = fc.oneof(
      fc.constantFrom(
        "n",
        "y",
        "p=tls-exporter",
        "",
        "n=mrose",
        "r=nonce",
        "r=nonceserver-nonce",
        "c=biws",
        "a=x",
      ),
      fc.constantFrom(`p=${proof}`, "m=x", "i=4096", "s=AAAA", "e=other-error"),
      fc.string({ maxLength: 5 }),
    );
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(attribute, { maxLength: 6 }).map((parts) => octets(parts.join(","))),
    );
    fc.assert(
      fc.property(fc.boolean(), message, message, (isPlus, first, final) => {
        const exchange = isPlus ? plus() : plainScram();
        const step = exchange.start(first);
        expect(["verifier", "malformed", "refused"]).toContain(step.kind);
        if (step.kind !== "verifier") return;
        expect(step.proceed(verifierOf("SHA-256", "secret")).kind).toBe("challenge");
        const end = exchange.next(final);
        expect(["proof", "malformed", "refused"]).toContain(end.kind);
        expect(end).not.toMatchObject({ isRight: true });
      }),
      atLeast(300),
    );
  });
});

describe("SCRAM-PLUS", () => {
  it("binds to the TLS connection", () => {
    const client = new ScramClient({ ...options, gs2Header: "p=tls-exporter,,", channelBinding: binding });
    expect(run(plus(), client, "SHA-256")).toMatchObject({ kind: "proof", isRight: true });
  });

  it("refuses a client at the end of another connection", () => {
    const channelBinding = new Uint8Array(32).fill(8);
    const client = new ScramClient({ ...options, gs2Header: "p=tls-exporter,,", channelBinding });
    expect(run(plus(), client, "SHA-256")).toEqual({
      kind: "refused",
      reason: "channel-bindings-dont-match",
    });
  });

  it.each([
    ["n,,", "channel-bindings-dont-match"],
    ["y,,", "channel-bindings-dont-match"],
    ["p=tls-unique,,", "unsupported-channel-binding-type"],
    ["p=tls-server-end-point,,", "unsupported-channel-binding-type"],
  ])("refuses the header %j", (gs2Header, reason) => {
    const step = run(plus(), new ScramClient({ ...options, gs2Header }), "SHA-256");
    expect(step).toEqual({ kind: "refused", reason });
  });

  it("refuses everybody without a TLS connection to bind to", () => {
    const client = new ScramClient({ ...options, gs2Header: "p=tls-exporter,,", channelBinding: binding });
    expect(run(plus({ channelBinding: undefined }), client, "SHA-256").kind).toBe("refused");
  });

  it("notices that somebody took -PLUS out of what was offered", () => {
    const client = () => new ScramClient({ ...options, gs2Header: "y,," });
    expect(run(plainScram({ channelBinding: binding }), client(), "SHA-256")).toEqual({
      kind: "refused",
      reason: "server-does-support-channel-binding",
    });
    expect(run(plainScram(), client(), "SHA-256")).toMatchObject({ kind: "proof", isRight: true });
  });

  it("lets a client that cannot bind log in without, and refuses one that binds where nothing binds", () => {
    const context = { channelBinding: binding };
    expect(run(plainScram(context), new ScramClient(options), "SHA-256")).toMatchObject({ isRight: true });
    const client = new ScramClient({ ...options, gs2Header: "p=tls-exporter,,", channelBinding: binding });
    expect(run(plainScram(context), client, "SHA-256")).toEqual({
      kind: "refused",
      reason: "channel-binding-not-supported",
    });
  });
});
