import { describe, expect, it } from "vitest";
import { verify } from "@/i18n/en/verify";

const sources = import.meta.glob<string>("./verify/*.ts", { query: "?raw", import: "default", eager: true });
const code = Object.entries(sources).filter(([path]) => !path.includes(".test.") && !path.includes("sample-")).map(([, text]) => text).join("\n");

/** The keys of all sentences, such as `fault.archive.line`. */
function keysOf(words: object, path = ""): string[] {
  return Object.entries(words).flatMap(([name, value]: [string, unknown]) => (typeof value === "string" ? [path + name] : keysOf(value as object, `${path}${name}.`)));
}

const keys = new Set(keysOf(verify));

describe("the words of the check", () => {
  it("exist for every fault that is thrown", () => {
    const thrown = [...code.matchAll(/new Broken\("([\w.]+)"/g)].map(([, fault = ""]) => fault);
    expect(thrown.length).toBeGreaterThan(60);
    expect([...new Set(thrown)].filter((fault) => !keys.has(`fault.${fault}`))).toEqual([]);
  });

  it("exist for every sentence that a step names itself", () => {
    const named = [...code.matchAll(/words: "([\w.]+)"/g)].map(([, words = ""]) => words);
    expect(named.length).toBeGreaterThan(8);
    expect([...new Set(named)].filter((words) => !keys.has(words))).toEqual([]);
  });

  it("say nothing that no check can say", () => {
    const faults = [...keys].filter((key) => key.startsWith("fault.")).map((key) => key.slice("fault.".length));
    expect(faults.filter((fault) => !code.includes(`"${fault}"`))).toEqual([]);
  });
});
