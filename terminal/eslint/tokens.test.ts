import { Linter } from "eslint";
import { describe, expect, it } from "vitest";
import ts from "typescript-eslint";
import vue from "vue-eslint-parser";
import tokens, { classFaults, styleFaults } from "./tokens.js";

const what = (faults: { what: string }[]): string[] => faults.map((each) => each.what);

function lint(code: string): string[] {
  const linter = new Linter();
  const messages = linter.verify(code, [{
    files: ["**/*.vue"],
    plugins: { tokens: tokens as never },
    languageOptions: { parser: vue as never, parserOptions: { parser: ts.parser } },
    rules: { "tokens/literals": "error", "tokens/elements": "error" },
  }], "Part.vue");
  return messages.map((each) => `${String(each.line)}: ${each.message}`);
}

describe("the rule of tokens", () => {
  it("finds colours, sizes and type in a style", () => {
    expect(what(styleFaults(".a { color: #fff; }"))).toEqual(["#fff"]);
    expect(what(styleFaults(".a { background: rgb(0 0 0 / 10%); }"))).toEqual(["rgb("]);
    expect(what(styleFaults(".a { border: 1px solid red; }"))).toEqual(["red"]);
    expect(what(styleFaults(".a { padding: 0 12px; margin: -1.5rem; }"))).toEqual(["12px", "-1.5rem"]);
    expect(what(styleFaults(".a { font-family: Arial; }"))).toEqual(["font-family: Arial"]);
  });

  it("lets tokens, hair lines, queries and selectors pass", () => {
    expect(styleFaults("#page .red { color: var(--text); padding: var(--s2) 0; border: 1px solid var(--line); outline-offset: -2px; }")).toEqual([]);
    expect(styleFaults("@media (min-width: 768px) { .a { width: 50%; grid-template-columns: minmax(0, 1fr); } }")).toEqual([]);
    expect(styleFaults("/* 12px red */ .a { font: inherit; line-height: 1; transition: color var(--fast); }")).toEqual([]);
  });

  it("finds literals in the brackets of a class", () => {
    expect(what(classFaults("flex text-[13px] bg-[#123456] p-4"))).toEqual(["[13px]", "[#123456]"]);
    expect(classFaults("shadow-[inset_0_0_0_1px_var(--line)] grid-cols-[auto_1fr]")).toEqual([]);
  });

  it("reads whole components and tells the line", () => {
    const code = '<template>\n  <p class="text-[13px]" :class="{ \'w-[3rem]\': true }" style="color: #fff" />\n  <button type="button" />\n</template>\n<style scoped>\np { gap: 7px; }\n</style>\n';
    const found = lint(code);
    expect(found.filter((each) => each.startsWith("2:"))).toHaveLength(3);
    expect(found).toContain("3: <button> is made by UiButton, UiIconButton or UiChip of src/design.");
    expect(found.some((each) => each.startsWith("6:") && each.includes("7px"))).toBe(true);
  });

  it("lets a component of parts and tokens pass", () => {
    expect(lint('<template>\n  <UiButton class="p-4 t-12">Go</UiButton>\n</template>\n<style scoped>\np { gap: var(--s2); }\n</style>\n')).toEqual([]);
  });
});

const sheets = import.meta.glob<string>("../src/features/**/*.css", { query: "?raw", import: "default", eager: true });

describe("style sheets of features", () => {
  it.each(Object.keys(sheets))("%s uses tokens", (path) => {
    expect(what(styleFaults(sheets[path] ?? ""))).toEqual([]);
  });
});
