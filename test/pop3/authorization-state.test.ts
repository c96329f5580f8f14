// What the dialogues of test/conversation cannot show, because it hangs on how the server is set up.
import { expect, it } from "vitest";
import { type AuthorizationOptions, AuthorizationState } from "../../src/pop3/authorization-state.ts";

function replyToUser(options: Partial<AuthorizationOptions>): string | undefined {
  const state = new AuthorizationState({
    serverName: "dewey",
    language: "i-default",
    implementation: "dewey-pop3",
    maxUselessCommands: 10,
    passwordAllowed: false,
    mechanisms: ["SCRAM-SHA-256", "EXTERNAL"],
    tls: "none",
    ...options,
  });
  const outcome = state.handle({ kind: "line", text: "USER mrose" });
  return outcome.kind === "reply" ? outcome.text : undefined;
}

it("USER says which way a client can log in instead", () => {
  expect(replyToUser({ tls: "none" })).toBe("-ERR [AUTH] no password is taken without TLS, use POP3S\r\n");
  expect(replyToUser({ tls: "available" })).toBe(
    "-ERR [AUTH] no password is taken without TLS, use STLS or POP3S\r\n",
  );
  // `auth.mechanisms` without PLAIN.
  expect(replyToUser({ tls: "active" })).toBe(
    "-ERR [AUTH] no password is taken, use AUTH SCRAM-SHA-256 or EXTERNAL\r\n",
  );
});
