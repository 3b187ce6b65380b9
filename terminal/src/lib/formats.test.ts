import { describe, expect, it } from "vitest";
import { setLocale } from "@/i18n";
import { usePreferences } from "@/stores/preferences";
import { offsetMinutes, typedAmount, useFormats } from "./formats";

const AT = Date.UTC(2026, 10, 30, 14, 34, 12, 281);
const plain = (text: string): string => text.replaceAll("\u00a0", " ");

describe("formats", () => {
  it("write amounts and prices as each language does and keep their scale", () => {
    const preferences = usePreferences();
    const formats = useFormats();
    expect(formats.amount("9957.00")).toBe("9,957.00");
    preferences.locale = "ru";
    expect(plain(formats.amount("9957.00"))).toBe("9 957,00");
    expect(plain(formats.price("67412.50"))).toBe("67 412,50");
    preferences.locale = "es";
    expect(formats.amount("1234567.5")).toBe("1.234.567,5");
    expect(formats.amount("1234.50")).toBe("1.234,50");
  });

  it("keep amounts exact that a float would not hold", () => {
    expect(useFormats().amount("90071992547409931.01")).toBe("90,071,992,547,409,931.01");
  });

  it("sign a change and leave nothing before zero", () => {
    const { signed } = useFormats();
    expect([signed("8.50"), signed("-10.00"), signed("0.00"), signed("-0.00")]).toEqual(["+8.50", "\u221210.00", "0.00", "0.00"]);
  });

  it("show times in the chosen zone, with summer time", () => {
    const preferences = usePreferences();
    const formats = useFormats();
    preferences.zone = "utc";
    expect(formats.clockMs(AT)).toBe("14:34:12.281");
    expect(formats.zone(AT)).toBe("UTC");
    preferences.zone = "Europe/Madrid";
    expect(formats.clock(AT)).toBe("15:34:12");
    expect(formats.zone(AT)).toBe("UTC+1");
    expect(formats.zone(Date.UTC(2026, 6, 1))).toBe("UTC+2");
    preferences.zone = "Asia/Kolkata";
    expect(formats.zone(AT)).toBe("UTC+5:30");
    expect(formats.dateTime(Date.UTC(2026, 10, 30, 23))).toBe("1 Dec 2026, 04:30:00");
  });

  it("take a zone the browser does not know for UTC", () => {
    expect(offsetMinutes("Nowhere/City", AT)).toBe(0);
  });

  it("name days without the words around them", async () => {
    const preferences = usePreferences();
    preferences.zone = "utc";
    const formats = useFormats();
    expect(formats.date(AT)).toBe("30 Nov 2026");
    preferences.locale = "ru";
    expect(formats.date(AT)).toBe("30 нояб. 2026");
  });

  it("name lengths of time in the chosen language", async () => {
    const preferences = usePreferences();
    const formats = useFormats();
    expect([15, 60, 7200, 86_400, 90].map((each) => plain(formats.duration(each)))).toEqual(["15 s", "1 min", "2 h", "1 d", "90 s"]);
    expect(plain(formats.age(240))).toBe("0.2 s");
    preferences.locale = "ru";
    await setLocale("ru");
    expect(plain(formats.age(240))).toBe("0,2 с");
    await setLocale("en");
  });

  it("read what is typed with a comma or with spaces", () => {
    expect([typedAmount("10,50"), typedAmount("1 000.5"), typedAmount("7")]).toEqual(["10.50", "1000.5", "7"]);
  });
});
