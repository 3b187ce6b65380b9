import type { DeepPartial, Styles } from "klinecharts";
import { faded, type Colours } from "../colours";
import type { DrawnKind } from "../port";

const SMALL = 11;

function candleStyles(colours: Colours, kind: DrawnKind, late: boolean): DeepPartial<Styles["candle"]> {
  const lined = kind === "line" || kind === "area";
  const [up, down] = [colours["up-candle"], colours["down-candle"]];
  const mark = late ? colours.wait : colours.text;
  return {
    // A line is drawn by the scene, which can leave gaps open; the library would bridge them.
    type: lined ? "area" : kind === "bars" ? "ohlc" : "candle_solid",
    area: { lineColor: "transparent", backgroundColor: "transparent", point: { show: false } },
    bar: {
      upColor: kind === "bars" ? up : colours["up-fill"], upBorderColor: up, upWickColor: up,
      downColor: down, downBorderColor: down, downWickColor: down,
      noChangeColor: colours["text-2"], noChangeBorderColor: colours["text-2"], noChangeWickColor: colours["text-2"],
    },
    priceMark: {
      high: { show: false },
      low: { show: false },
      last: { upColor: mark, downColor: mark, noChangeColor: mark, line: { show: false }, text: { color: colours.panel, size: SMALL } },
    },
  };
}

/** The library's looks from the page's tokens. */
export function stylesOf(colours: Colours, font: string, kind: DrawnKind, late: boolean): DeepPartial<Styles> {
  const words = { color: colours["text-3"], size: SMALL, family: font };
  const axis = { axisLine: { color: colours.line }, tickLine: { color: colours.line }, tickText: words };
  const label = { color: colours.text, size: SMALL, family: font, backgroundColor: colours["line-strong"], borderColor: colours["line-strong"] };
  const cross = { line: { color: colours["text-3"] }, text: label };
  const lines = [colours["series-1"], colours["series-2"], colours["series-3"], colours["series-4"], colours["series-5"]];
  const handle = { color: colours.accent, borderColor: colours.panel, activeColor: colours.accent, activeBorderColor: colours["accent-tint"] };
  return {
    grid: { horizontal: { color: colours.grid, style: "solid" }, vertical: { color: colours.grid, style: "solid" } },
    candle: {
      ...candleStyles(colours, kind, late),
      tooltip: { offsetLeft: 10, offsetTop: 30, title: { show: false }, legend: { ...words, color: colours["text-2"] } },
    },
    indicator: {
      lines: lines.map((color) => ({ color, size: 1.5 })),
      bars: [{ style: "fill", upColor: colours["up-candle"], downColor: colours["down-candle"], noChangeColor: colours["text-3"] }],
      circles: [{ style: "fill", upColor: colours["up-candle"], downColor: colours["down-candle"], noChangeColor: colours["text-3"] }],
      lastValueMark: { show: false },
      tooltip: { offsetLeft: 10, title: { ...words, color: colours["text-2"] }, legend: { ...words, color: colours["text-2"] } },
    },
    xAxis: axis,
    yAxis: axis,
    separator: { color: colours.line, activeBackgroundColor: colours["accent-tint"] },
    crosshair: { horizontal: cross, vertical: cross },
    overlay: {
      point: handle,
      line: { color: colours["text-2"], size: 1.5 },
      rect: { color: faded(colours.accent, 0.12), borderColor: colours["text-2"], borderSize: 1 },
      polygon: { color: faded(colours.accent, 0.12), borderColor: colours["text-2"] },
      text: { color: colours.text, size: 12, family: font, backgroundColor: colours.raised, borderColor: colours["line-strong"], borderSize: 1, borderRadius: 4, paddingLeft: 6, paddingRight: 6, paddingTop: 4, paddingBottom: 4 },
    },
  };
}
