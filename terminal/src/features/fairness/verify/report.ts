/** What a check reports: steps in the order of their making, and a verdict. */

import { Broken, type Values } from "./broken";

export type Outcome = "ok" | "failed" | "pending" | "skipped";
export type Verdict = "verified" | "failed" | "pending";

export interface Step {
  id: string;
  outcome: Outcome;
  /** Key of the sentence that says it, below `fairness.verify`, and what the sentence is filled with. */
  words: string;
  values: Values;
  /** The figure that the step is about: a key, a count, a price. */
  detail: string;
}

export type Warning = "dev" | "unsigned" | "custom";

/** What was found about one file. */
export interface Group {
  kind: "receipt" | "archive" | "manifest" | "keys" | "heads" | "unknown";
  name: string;
  values: Values;
  steps: Step[];
  verdict: Verdict;
}

export interface Report {
  verdict: Verdict;
  warnings: Warning[];
  /** When what is pending can be proven, in Unix milliseconds. */
  readyMs: number | null;
  groups: Group[];
}

export interface Said {
  outcome?: Outcome;
  words?: string;
  values?: Values;
  detail?: string;
}

export function verdictOf(steps: readonly { outcome: Outcome }[]): Verdict {
  if (steps.some((step) => step.outcome === "failed")) return "failed";
  return steps.some((step) => step.outcome === "pending") ? "pending" : "verified";
}

/** Gathers the steps of one file; a check that throws `Broken` is a failed step with its words. */
export class Steps {
  readonly list: Step[] = [];

  constructor(
    readonly kind: Group["kind"],
    readonly name: string,
  ) {}

  /** Make a step of a check, and answer whether it went well. */
  check(id: string, make: () => Said): boolean {
    let said: Said;
    try {
      said = make();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      said = { outcome: "failed", words: `fault.${error.fault}`, values: error.values };
    }
    const outcome = said.outcome ?? "ok";
    const words = said.words ?? `${this.kind}.${id}.${outcome}`;
    this.list.push({ id, outcome, words, values: said.values ?? {}, detail: said.detail ?? "" });
    return outcome !== "failed";
  }

  group(values: Values = {}): Group {
    return { kind: this.kind, name: this.name, values, steps: this.list, verdict: verdictOf(this.list) };
  }
}
