import { describe, expect, it } from "vitest";
import { createI18n } from "vue-i18n";
import { russianForm } from ".";
import { spoken } from "./compile";

function translator(words: Record<string, string>, locale = "en") {
  return createI18n({ legacy: false, locale, messages: { [locale]: spoken(words) }, pluralRules: { ru: russianForm } }).global.t;
}

describe("messages", () => {
  it("fill their holes with values as they are, and leave what has none empty", () => {
    const t = translator({ hello: "{name} has {count}, {name}: {nothing}.", text: "Up & <b>down</b> @ 5.00", path: "MQL5\\Files {a_1}" });
    expect(t("hello", { name: "{name}|x", count: 0 })).toBe("{name}|x has 0, {name}|x: .");
    expect(t("text")).toBe("Up & <b>down</b> @ 5.00");
    expect(t("path", { a_1: "x" })).toBe("MQL5\\Files x");
  });

  it("say the form that a number wants, in each language by its own rule", () => {
    const english = translator({ two: "{count} order | {count} orders", three: "none | one | {n} orders" });
    expect([1, 2, 0].map((count) => english("two", { count }, count))).toEqual(["1 order", "2 orders", "0 orders"]);
    expect([0, 1, 7].map((count) => english("three", count))).toEqual(["none", "one", "7 orders"]);
    const russian = translator({ orders: "{count} сделка | {count} сделки | {count} сделок" }, "ru");
    expect([1, 3, 11, 21].map((count) => russian("orders", { count }, count))).toEqual(["1 сделка", "3 сделки", "11 сделок", "21 сделка"]);
  });
});
