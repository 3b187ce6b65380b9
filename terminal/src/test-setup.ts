import { afterEach, beforeEach } from "vitest";
import { createPinia, setActivePinia } from "pinia";
import { i18n, setLocale } from "@/i18n";
import { spoken } from "@/i18n/compile";
import { bridge } from "@/i18n/en/bridge";
import { fairness } from "@/i18n/en/fairness";
import { fairnessMore } from "@/i18n/en/fairness_more";
import { developer } from "@/i18n/en/developer";
import { hooks } from "@/i18n/en/hooks";
import { limits } from "@/i18n/en/limits";
import { security } from "@/i18n/en/security";
import { signals } from "@/i18n/en/signals";
import { verify } from "@/i18n/en/verify";

await setLocale("en");
i18n.global.mergeLocaleMessage("en", spoken({ fairness: { ...fairness, ...fairnessMore, verify }, ...limits, ...security, ...developer, ...bridge }));
i18n.global.mergeLocaleMessage("en", spoken(signals));
i18n.global.mergeLocaleMessage("en", spoken(hooks));

beforeEach(() => {
  localStorage.clear();
  setActivePinia(createPinia());
});

afterEach(() => {
  document.body.innerHTML = "";
});
