import { describe, expect, it } from "vitest";
import { z } from "zod";
import { FIXED_LIMITS } from "../../src/config/schema/limits.ts";
import { FORMS, listenAddress } from "../../src/config/schema/values.ts";
import { configSchema } from "../../src/config/schema.ts";
import { type ConfigKey, configSections } from "../../src/manual/config-keys.ts";
import { MAX_AUTH_LINE_OCTETS, MAX_LINE_OCTETS } from "../../src/pop3/line-reader.ts";

const sections = configSections();
const keys = sections.flatMap(({ name, keys }) => withParts(name, keys));

function withParts(parent: string, keys: readonly ConfigKey[]): (ConfigKey & { path: string })[] {
  return keys.flatMap((key) => {
    const path = `${parent}.${key.name}`;
    return [{ ...key, path }, ...withParts(path, key.keys)];
  });
}

describe("the text of a key in the config's schema", () => {
  it("stands there for every section", () => {
    for (const { name, description } of sections) expect(description, name).toMatch(/\.$/);
    expect(sections.map(({ name }) => name)).toEqual(Object.keys(configSchema.shape));
  });

  it.each(keys.map((key) => [key.path, key] as const))("%s has all that the reference needs", (path, key) => {
    expect(key.description, `${path}: .meta({ description: "A sentence." })`).toMatch(
      /^[^a-z].*(?:\.|\n {2}.*)$/s,
    );
    expect(key.reason, `${path}: .meta({ reason: "Why it is so." })`).toMatch(/^[A-Z"].*\.$/s);
    expect(key.form, `${path}: .meta({ form: "what may be written" })`).not.toBe("");
    expect(key.default ?? key.defaultText, `${path}: .meta({ defaultText: "in words" })`).toBeDefined();
    if (key.form.startsWith("integer"))
      expect(key.unit, `${path}: .meta({ unit: "what it counts" })`).toBeDefined();
    // A key of a table is shown in the table's example.
    if (key.default === undefined && path.split(".").length === 2)
      expect(key.example, `${path}: .meta({ example: "as TOML" })`).toBeDefined();
  });

  it("has no other fields than those", () => {
    const known = ["description", "reason", "form", "unit", "defaultText", "example"];
    for (const section of Object.values(configSchema.shape)) {
      const { shape } = (section as { unwrap(): z.ZodObject }).unwrap();
      for (const [name, key] of Object.entries(shape))
        for (const field of Object.keys((key as z.ZodType).meta() ?? {}))
          expect(known, name).toContain(field);
    }
  });

  it("names the forms that the reference explains", () => {
    for (const [form] of FORMS)
      expect(
        keys.some((key) => key.form.includes(form)),
        form,
      ).toBe(true);
  });
});

describe("configSections", () => {
  it("reads forms, units and defaults through a schema's wrappers", () => {
    const schema = z.strictObject({
      section: z
        .strictObject({
          listen: z.array(listenAddress).prefault(["*:110"]).meta({ description: "Where." }),
          level: z.enum(["low", "middle", "high"]).default("low"),
          count: z.int().min(1).default(3).meta({ unit: "things" }),
          host: z
            .int()
            .min(1)
            .max(9)
            .default(() => 4)
            .meta({ defaultText: "as many as there are", example: "2" }),
          table: z.strictObject({ part: z.boolean().default(true) }).optional(),
        })
        .prefault({}),
    });
    const [section] = configSections(schema);
    expect(section!.keys).toMatchObject([
      { name: "listen", form: "list of addresses", default: '["*:110"]', description: "Where." },
      { name: "level", form: '"low", "middle" or "high"', default: '"low"' },
      { name: "count", form: "integer, 1 or more", default: "3", unit: "things" },
      { name: "host", form: "integer, 1 to 9", default: undefined, defaultText: "as many as there are" },
      { name: "table", default: undefined, keys: [{ name: "part", form: "true or false", default: "true" }] },
    ]);
  });
});

describe("the limits that are no keys", () => {
  it("are those of the protocol's code", () => {
    const limits = FIXED_LIMITS.map(({ limit }) => limit);
    expect(limits).toContain(`${MAX_LINE_OCTETS} octets`);
    expect(limits).toContain(`${MAX_AUTH_LINE_OCTETS} octets`);
  });
});
