import { mount } from "@vue/test-utils";
import { describe, expect, it } from "vitest";
import { i18n } from "@/i18n";
import ResultChip from "./ResultChip.vue";

describe("result chip", () => {
  it.each([
    ["won", "Won"],
    ["lost", "Lost"],
    ["tied", "Tied"],
    ["refunded", "Refunded"],
  ] as const)("says %s by word, icon and colour", (result, word) => {
    const chip = mount(ResultChip, { props: { result }, global: { plugins: [i18n] } });
    expect(chip.text()).toBe(word);
    expect(chip.find("svg path").exists()).toBe(true);
    expect(chip.classes()).toContain(result);
  });
});
