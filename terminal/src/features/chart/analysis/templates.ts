import { defineStore } from "pinia";
import { ref } from "vue";
import { isFields } from "@/api/messages";
import { remember, remembered } from "@/lib/storage";
import { isIndicator } from "../layout";
import type { IndicatorChoice } from "../port";

export interface Template {
  name: string;
  indicators: IndicatorChoice[];
}

const TEMPLATES_MOST = 30;
export const NAME_MOST = 40;

function isTemplate(value: unknown): value is Template {
  return isFields(value) && typeof value["name"] === "string" && Array.isArray(value["indicators"]) && value["indicators"].every(isIndicator);
}

const isTemplates = (value: unknown): value is Template[] => Array.isArray(value) && value.every(isTemplate);
const copy = (indicators: readonly IndicatorChoice[]): IndicatorChoice[] => indicators.map(({ name, params }) => ({ name, params: [...params] }));

/** Sets of indicators that the user gave a name; kept on this device. */
export const useTemplates = defineStore("indicator-templates", () => {
  const list = ref<Template[]>(remembered("indicator_templates", [], isTemplates));

  /** Save under a name; the same name replaces. Answers whether there was room. */
  function save(name: string, indicators: readonly IndicatorChoice[]): boolean {
    const title = name.trim().slice(0, NAME_MOST);
    const rest = list.value.filter((each) => each.name !== title);
    if (title === "" || rest.length >= TEMPLATES_MOST) return false;
    list.value = [...rest, { name: title, indicators: copy(indicators) }];
    remember("indicator_templates", list.value);
    return true;
  }

  function remove(name: string): void {
    list.value = list.value.filter((each) => each.name !== name);
    remember("indicator_templates", list.value);
  }

  /** What a template holds, as a copy that may be changed. */
  function take(name: string): IndicatorChoice[] {
    return copy(list.value.find((each) => each.name === name)?.indicators ?? []);
  }

  return { list, save, remove, take };
});
