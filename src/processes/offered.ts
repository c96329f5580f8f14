// What both states announce; clients remember the first CAPA that they see, so it must not differ without need.

export const POP3_IMPLEMENTATION = "dewey-pop3";

export const SASL_MECHANISMS: readonly string[] = ["PLAIN", "LOGIN"];
