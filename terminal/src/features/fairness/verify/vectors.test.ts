import { describe, expect, it } from "vitest";
import { bytesOf } from "./sample-evidence";
import { verify, type InputFile } from "./verify";

/** The examples of `docs/fairness/vectors`, made by the platform: honest ones, and what dishonest hands made of them. */
const texts = import.meta.glob<string>("../../../../../docs/fairness/vectors/*", { query: "?raw", import: "default", eager: true });

interface Example {
  receipt: string | null;
  archives: string[];
  keys: string | null;
  heads: string | null;
  manifest: string | null;
  verdict: "verified" | "failed" | "pending";
  because: string;
}

const text = (name: string): string => Object.entries(texts).find(([path]) => path.endsWith(`/vectors/${name}`))?.[1] ?? "";
const examples = JSON.parse(text("index.json") || "[]") as Example[];

describe("the published examples", () => {
  it("are all there", () => {
    expect(examples.length).toBeGreaterThan(20);
  });

  it.each(examples.map((each) => [`${each.verdict}: ${each.because}`, each] as const))("%s", (_, example) => {
    const names = [example.receipt, ...example.archives, example.keys, example.heads, example.manifest].filter((name) => name !== null);
    const files: InputFile[] = names.map((name) => ({ name, bytes: bytesOf(text(name)) }));
    const report = verify(files);
    const told = report.groups.flatMap((group) => group.steps.filter((step) => step.outcome === "failed" || step.outcome === "pending").map((step) => `${group.name} ${step.id}: ${step.words}`));
    expect({ verdict: report.verdict, told }).toEqual({ verdict: example.verdict, told });
    expect(files.every((file) => file.bytes.length > 0)).toBe(true);
  });
});
