// Logs in by SMTP AUTH with Python's smtplib, a client of other hands, without TLS, with STARTTLS or under TLS from the begin.
import { runOrThrow } from "../../support/program.ts";

export interface SmtpLogin {
  readonly port: number;
  readonly mechanism: "PLAIN" | "LOGIN";
  readonly user: string;
  readonly password: string;
  readonly tls?: "starttls" | "implicit";
  /** Stopped (SIGSTOP) just before AUTH: a process that the server will ask. */
  readonly stopBeforeAuth?: number;
  /** Sent once logged in: envelope and a message with one line. */
  readonly mail?: { readonly from: string; readonly to: string };
}

/** @returns SMTP's code for AUTH, or of the first command behind it that was refused */
export async function smtpLogin(login: SmtpLogin): Promise<string> {
  const { port, mechanism, user, password, tls, mail, stopBeforeAuth } = login;
  const { stdout } = await runOrThrow("python3", [
    "-c",
    script,
    ...[`${port}`, mechanism, user, password, tls ?? "none", mail?.from ?? "", mail?.to ?? ""],
    `${stopBeforeAuth ?? ""}`,
  ]);
  return stdout.toString().trim();
}

const script = `
import os, signal, smtplib, ssl, sys
port, mechanism, user, password, tls, sender, recipient, stop_pid = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
smtp = (
    smtplib.SMTP_SSL("127.0.0.1", int(port), timeout=30, context=context)
    if tls == "implicit"
    else smtplib.SMTP("127.0.0.1", int(port), timeout=30)
)
with smtp:
    smtp.ehlo("client.test")
    if tls == "starttls":
        assert "auth" not in smtp.esmtp_features, "AUTH without TLS"
        smtp.starttls(context=context)
        smtp.ehlo("client.test")
    assert mechanism in smtp.esmtp_features["auth"].split(), smtp.esmtp_features
    if stop_pid:
        os.kill(int(stop_pid), signal.SIGSTOP)
    smtp.user, smtp.password = user, password
    method = smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login
    try:
        code = smtp.auth(mechanism, method)[0]
        if code == 235 and sender:
            smtp.sendmail(sender, [recipient], "From: %s\\r\\nSubject: sent after login\\r\\n\\r\\nline\\r\\n" % sender)
        print(code)
    except smtplib.SMTPRecipientsRefused as error:
        print(error.recipients[recipient][0])
    except smtplib.SMTPResponseException as error:
        print(error.smtp_code)
`;
