import { createPinia, setActivePinia } from "pinia";
import { describe, expect, it } from "vitest";
import { charting as english } from "@/i18n/en/charting";
import { charting as spanish } from "@/i18n/es/charting";
import { charting as russian } from "@/i18n/ru/charting";
import { CATALOGUE, kindOf, paramValue } from "./catalogue";
import { useTemplates } from "./templates";

describe("indicator templates", () => {
  it("come back by name on this device, and a name stands once", () => {
    const templates = useTemplates();
    templates.save("Mine", [{ name: "RSI", params: [14] }]);
    templates.save(" Mine ", [{ name: "ATR", params: [7] }]);
    setActivePinia(createPinia());
    expect(useTemplates().list).toEqual([{ name: "Mine", indicators: [{ name: "ATR", params: [7] }] }]);
  });

  it("give a copy, so that changing what is shown changes no template", () => {
    const templates = useTemplates();
    templates.save("Mine", [{ name: "RSI", params: [14] }]);
    templates.take("Mine")[0]?.params.push(1);
    expect(templates.take("Mine")).toEqual([{ name: "RSI", params: [14] }]);
    templates.remove("Mine");
    expect(templates.take("Mine")).toEqual([]);
  });
});

describe("the catalogue", () => {
  it("offers at least twenty indicators, each named and explained in every language", () => {
    expect(CATALOGUE.length).toBeGreaterThanOrEqual(20);
    for (const { charting } of [english, russian, spanish].map((each) => ({ charting: each.charting }))) {
      for (const { name } of CATALOGUE) expect([name in charting.names, name in charting.about]).toEqual([true, true]);
    }
  });

  it("has nothing that needs a volume, which the feed does not have", () => {
    for (const name of ["VOL", "OBV", "PVT", "EMV", "VR", "AVP"]) expect(kindOf(name)).toBeUndefined();
  });

  it("takes only numbers that can be used, with a point or a comma", () => {
    const [whole, fraction] = [{ key: "period", value: 1 }, { key: "factor", value: 2, fraction: true }] as const;
    expect(["14", " 7 ", "2.5", "0", "-3", "501", "", "x"].map((text) => paramValue(text, whole))).toEqual([14, 7, null, null, null, null, null, null]);
    expect(paramValue("2,5", fraction)).toBe(2.5);
  });
});
