export interface Device {
  browser: string;
  system: string;
}

const BROWSERS: readonly [RegExp, string][] = [
  [/\bEdgA?\//, "Edge"], [/\bOPR\//, "Opera"], [/YaBrowser\//, "Yandex Browser"], [/SamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|FxiOS\//, "Firefox"], [/HeadlessChrome\/|\bChrome\/|CriOS\//, "Chrome"], [/\bVersion\/.*Safari\//, "Safari"], [/\bcurl\//, "curl"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Windows/, "Windows"], [/CrOS/, "ChromeOS"], [/Mac OS X|Macintosh/, "macOS"], [/Linux|X11/, "Linux"],
];

const first = (list: readonly [RegExp, string][], text: string): string => list.find(([pattern]) => pattern.test(text))?.[1] ?? "";

/** What a browser says of itself, for people: it can lie, and is only a help to memory. Empty where it says nothing known. */
export function deviceOf(userAgent: string): Device {
  return { browser: first(BROWSERS, userAgent), system: first(SYSTEMS, userAgent) };
}
