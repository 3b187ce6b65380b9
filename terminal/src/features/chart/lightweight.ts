import { ColorType, createChart, CrosshairMode, TickMarkType, type IChartApi, type ISeriesApi, type SeriesType, type Time } from "lightweight-charts";
import type { Colours } from "./colours";
import { addSeries, plottedSlot, seriesColours } from "./lightweight-series";
import type { ChartOptions, ChartPort, ClockMark, DrawnKind, DrawnOrder, LastPrice } from "./port";
import { Scene } from "./scene";
import { ScenePrimitive } from "./scene-primitive";
import type { Gap, Slot } from "./timeline";

const NEAR_START_BARS = 40;
const LIVE_SLACK_BARS = -2;
const MIN_SPACE_BARS = 10;
const SPACE_MOST = 0.4;
const SPACE_OPEN = 0.2;
const FONT_SIZE = 11;

const msOf = (time: Time): number => Number(time) * 1000;

/** Candles and orders drawn by TradingView Lightweight Charts. */
export class LightweightChart implements ChartPort {
  private readonly chart: IChartApi;
  private series: ISeriesApi<SeriesType>;
  private readonly scene: Scene;
  private readonly primitive: ScenePrimitive;
  private kind: DrawnKind;
  private slots: Slot[] = [];
  private late = false;
  private lastMs = 0;

  constructor(element: HTMLElement, private readonly options: ChartOptions) {
    const { colours, font, words, kind } = options;
    this.kind = kind;
    this.chart = createChart(element, {
      autoSize: true,
      localization: { priceFormatter: options.priceText, timeFormatter: (time: Time) => options.timeText(msOf(time)) },
      crosshair: { mode: CrosshairMode.Normal },
      handleScale: { axisPressedMouseMove: { time: true, price: false } },
      kineticScroll: { touch: true, mouse: false },
      rightPriceScale: { scaleMargins: { top: 0.14, bottom: 0.12 }, minimumWidth: options.compact ? 64 : 76, borderVisible: true },
      timeScale: {
        timeVisible: true,
        secondsVisible: options.widthMs < 60_000,
        rightOffset: MIN_SPACE_BARS,
        barSpacing: options.compact ? 7 : 9,
        minBarSpacing: 1,
        tickMarkFormatter: (time: Time, type: TickMarkType) => options.axisText(msOf(time), partOf(type)),
      },
    });
    this.scene = new Scene({ colours, font, words });
    this.primitive = new ScenePrimitive(this.scene, options.positionOf, options.onMarks);
    this.series = addSeries(this.chart, kind, options.scale);
    this.series.attachPrimitive(this.primitive);
    this.setColours(colours);
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(this.onRange);
  }

  setSlots(slots: readonly Slot[], gaps: readonly Gap[]): void {
    this.slots = [...slots];
    this.scene.gaps = gaps;
    this.series.setData(slots.map((slot, index) => plottedSlot(slot, slots[index + 1], this.kind, this.options.scale)));
  }

  update(changed: readonly Slot[]): void {
    for (const slot of changed) {
      if (this.slots.at(-1)?.atMs === slot.atMs) this.slots.pop();
      this.slots.push(slot);
    }
    // A gap begins: the line stops at the candle before it, so all is drawn again.
    if (changed[0]?.candle === null) this.setSlots(this.slots, this.scene.gaps);
    else for (const slot of changed) this.series.update(plottedSlot(slot, undefined, this.kind, this.options.scale));
  }

  setKind(kind: DrawnKind): void {
    if (kind === this.kind) return;
    this.series.detachPrimitive(this.primitive);
    this.chart.removeSeries(this.series);
    this.kind = kind;
    this.series = addSeries(this.chart, kind, this.options.scale);
    this.series.attachPrimitive(this.primitive);
    this.setColours(this.options.colours);
    this.setSlots(this.slots, this.scene.gaps);
  }

  /** Draw the orders, and make room on the right so that the next expiries are in sight. */
  setOrders(orders: readonly DrawnOrder[]): void {
    this.scene.orders = orders;
    this.makeRoom();
    this.primitive.redraw();
  }

  setClock(mark: ClockMark | null): void {
    this.scene.clock = mark;
    this.makeRoom();
    this.primitive.redraw();
  }

  setLast(last: LastPrice | null): void {
    this.scene.last = last;
    if (last) this.lastMs = last.atMs;
    this.primitive.redraw();
    const late = last?.late ?? false;
    if (late === this.late) return;
    this.late = late;
    this.colourLast();
  }

  setColours(colours: Colours): void {
    this.options.colours = this.scene.colours = colours;
    const label = colours["line-strong"];
    const cross = { color: colours["text-3"], labelBackgroundColor: label };
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: colours.panel },
        textColor: colours["text-3"],
        fontFamily: this.options.font,
        fontSize: FONT_SIZE,
      },
      grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
      crosshair: { vertLine: cross, horzLine: cross },
      rightPriceScale: { borderColor: colours.line },
      timeScale: { borderColor: colours.line },
    });
    this.series.applyOptions(seriesColours(this.kind, colours));
    this.colourLast();
    this.primitive.redraw();
  }

  setCursor(index: number | null): void {
    const slot = index === null ? undefined : this.slots[index];
    if (index === null || !slot?.candle) {
      this.chart.clearCrosshairPosition();
      return;
    }
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (range && (index < range.from + 1 || index > range.to - 1)) {
      const [half, middle] = [(range.to - range.from) / 2, index];
      scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
    }
    this.chart.setCrosshairPosition(slot.candle.close / 10 ** this.options.scale, (slot.atMs / 1000) as Time, this.series);
  }

  zoom(factor: number): void {
    const scale = this.chart.timeScale();
    scale.applyOptions({ barSpacing: Math.min(60, Math.max(1, scale.options().barSpacing * factor)) });
  }

  goLive(): void {
    this.chart.timeScale().scrollToRealTime();
  }

  destroy(): void {
    this.chart.timeScale().unsubscribeVisibleLogicalRangeChange(this.onRange);
    this.chart.remove();
  }

  private get live(): boolean {
    return this.chart.timeScale().scrollPosition() > LIVE_SLACK_BARS;
  }

  private makeRoom(): void {
    const { orders, clock } = this.scene;
    const end = this.options.positionOf(this.lastMs);
    const ends = orders.filter((each) => each.result === "open").map((each) => each.expiresMs);
    if (clock) ends.push(clock.expiresMs);
    const needed = ends.map((atMs) => this.options.positionOf(atMs) - end + 3);
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const bars = range ? range.to - range.from : 0;
    const wanted = Math.max(0, ...needed.filter((each) => each <= bars * SPACE_MOST));
    const space = Math.max(MIN_SPACE_BARS, wanted, needed.length > 0 ? bars * SPACE_OPEN : 0);
    if (this.live) this.chart.timeScale().applyOptions({ rightOffset: Math.ceil(space) });
  }

  private colourLast(): void {
    this.series.applyOptions({ priceLineColor: this.late ? this.options.colours.wait : this.options.colours.text });
  }

  private readonly onRange = (range: { from: number; to: number } | null): void => {
    if (!range) return;
    this.options.onLive(this.live);
    if (range.from < NEAR_START_BARS) this.options.onNearStart();
  };
}

function partOf(type: TickMarkType): "day" | "minute" | "second" {
  if (type === TickMarkType.TimeWithSeconds) return "second";
  return type === TickMarkType.Time ? "minute" : "day";
}
