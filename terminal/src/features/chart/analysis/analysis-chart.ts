import { dispose, init, type Chart, type KLineData, type Period } from "klinecharts";
import { toPlotted } from "@/lib/price";
import type { Colours } from "../colours";
import type { AnalysisOptions, AnalysisPort, ClockMark, Drawing, DrawingPoint, DrawnKind, DrawnOrder, IndicatorChoice, LastPrice, Tool } from "../port";
import { Scene } from "../scene";
import type { Gap, Slot } from "../timeline";
import { kindOf } from "./catalogue";
import { DrawingLayer } from "./drawing-layer";
import { registerOwn } from "./indicators";
import { OVERLAYS, registerShapes } from "./overlays";
import { registerScene, SCENE, stages, type Stage } from "./scene-indicator";
import { stylesOf } from "./styles";

const CANDLES = "candle_pane";
const NEAR_START_BARS = 40;
const LIVE_SLACK_BARS = 2;
const SPACE_PX = 120;
const PANE_HEIGHT = 88;
const NUDGE_PX = 8;
const FIRST_BAR = { wide: 9, narrow: 7 };

function periodOf(widthMs: number): Period {
  if (widthMs >= 86_400_000) return { type: "day", span: Math.round(widthMs / 86_400_000) };
  if (widthMs >= 3_600_000) return { type: "hour", span: Math.round(widthMs / 3_600_000) };
  if (widthMs >= 60_000) return { type: "minute", span: Math.round(widthMs / 60_000) };
  return { type: "second", span: Math.max(1, Math.round(widthMs / 1000)) };
}

/** Candles, indicators and drawings by KLineChart; loaded only when somebody analyses. */
export class AnalysisChart implements AnalysisPort {
  private readonly chart: Chart;
  private readonly scene: Scene;
  private readonly drawings: DrawingLayer;
  private readonly resize: ResizeObserver;
  private kind: DrawnKind;
  private bars: KLineData[] = [];
  private gapStarts = new Set<number>();
  private push: ((bar: KLineData) => void) | null = null;
  private shown: { id: string; key: string }[] = [];
  private late = false;

  constructor(private readonly element: HTMLElement, private readonly options: AnalysisOptions) {
    registerOwn();
    registerShapes();
    registerScene();
    const { colours, font, words, kind } = options;
    this.kind = kind;
    const chart = init(element, {
      styles: stylesOf(colours, font, kind, false),
      thousandsSeparator: { sign: "", format: (value) => options.figureText(String(value)) },
      decimalFold: { threshold: 100, format: (value) => String(value) },
      formatter: { formatDate: ({ timestamp, template, type }) => (type === "xAxis" ? options.axisText(timestamp, partOf(template)) : options.timeText(timestamp)) },
      hotkey: { enabled: false },
      layout: { yAxis: { gap: { top: 0.14, bottom: 0.12 } } },
    });
    if (!chart) throw new Error("the chart could not be opened");
    this.chart = chart;
    this.scene = new Scene({ colours, font, words });
    chart.setStyles({ candle: { tooltip: { showRule: "follow_cross", legend: { template: options.legend.map(([title, key]) => ({ title: `${title} `, value: `{${key}}` })) } } } });
    chart.setBarSpace(options.compact ? FIRST_BAR.narrow : FIRST_BAR.wide);
    chart.setOffsetRightDistance(SPACE_PX);
    chart.setSymbol({ ticker: "", pricePrecision: options.scale, volumePrecision: 0 });
    chart.setPeriod(periodOf(options.widthMs));
    chart.setDataLoader({
      getBars: ({ type, callback }) => { callback(type === "init" ? this.bars : [], false); },
      subscribeBar: ({ callback }) => { this.push = callback; },
    });
    const stage: Stage = {
      scene: this.scene, kind: () => this.kind, positionOf: options.positionOf,
      gapBefore: (timestamp) => this.gapStarts.has(timestamp), onMarks: options.onMarks,
    };
    stages.set(chart.id, stage);
    chart.createIndicator({ name: SCENE, paneId: CANDLES }, true);
    chart.subscribeAction("onVisibleRangeChange", this.onRange);
    this.drawings = new DrawingLayer(chart, options, colours);
    this.resize = new ResizeObserver(() => { chart.resize(); });
    this.resize.observe(element);
  }

  setSlots(slots: readonly Slot[], gaps: readonly Gap[]): void {
    const right = this.rightDistance();
    this.scene.gaps = gaps;
    this.gapStarts = new Set(gaps.map((gap) => gap.toMs));
    this.bars = slots.flatMap((slot) => this.barOf(slot) ?? []);
    // The view stays where it was: the library begins every list of bars at its right edge.
    this.chart.setOffsetRightDistance(right);
    this.chart.resetData();
  }

  update(changed: readonly Slot[]): void {
    for (const slot of changed) {
      const bar = this.barOf(slot);
      if (!bar) continue;
      this.gapStarts = this.scene.gaps.length === this.gapStarts.size ? this.gapStarts : new Set(this.scene.gaps.map((gap) => gap.toMs));
      this.push?.(bar);
    }
  }

  setKind(kind: DrawnKind): void {
    this.kind = kind;
    this.restyle();
  }

  setOrders(orders: readonly DrawnOrder[]): void {
    this.scene.orders = orders;
    this.redraw();
  }

  setClock(mark: ClockMark | null): void {
    this.scene.clock = mark;
    this.redraw();
  }

  setLast(last: LastPrice | null): void {
    this.scene.last = last;
    const late = last?.late ?? false;
    if (late === this.late) return;
    this.late = late;
    this.restyle();
  }

  setColours(colours: Colours): void {
    this.options.colours = this.scene.colours = colours;
    this.restyle();
    this.drawings.setColours(colours);
  }

  setCursor(index: number | null): void {
    const bar = index === null ? undefined : this.chart.getDataList()[index];
    if (index === null || !bar) {
      this.chart.executeAction("onCrosshairChange", {});
      return;
    }
    const { from, to } = this.chart.getVisibleRange();
    if (index < from + 1 || index > to - 2) this.chart.scrollToDataIndex(Math.min(this.chart.getDataList().length - 1, index + Math.round((to - from) / 2)), 0);
    const at = this.chart.convertToPixel({ dataIndex: index, value: bar.close }, { paneId: CANDLES });
    if (!Array.isArray(at)) this.chart.executeAction("onCrosshairChange", { ...at, paneId: CANDLES });
  }

  zoom(factor: number): void {
    this.chart.setBarSpace(Math.min(50, Math.max(1, this.chart.getBarSpace().bar * factor)));
  }

  goLive(): void {
    this.chart.setOffsetRightDistance(SPACE_PX);
    this.chart.scrollToRealTime(0);
  }

  destroy(): void {
    this.resize.disconnect();
    this.chart.unsubscribeAction("onVisibleRangeChange", this.onRange);
    stages.delete(this.chart.id);
    dispose(this.element);
  }

  setIndicators(choices: readonly IndicatorChoice[]): void {
    const wanted = choices.map((choice, index) => ({ choice, key: `${String(index)} ${choice.name} ${choice.params.join(" ")}` }));
    const kept = this.shown.filter(({ key }) => wanted.some((each) => each.key === key));
    for (const { id, key } of this.shown) if (!kept.some((each) => each.key === key)) this.chart.removeIndicator({ id });
    this.shown = kept;
    for (const { choice, key } of wanted) if (!kept.some((each) => each.key === key)) this.addIndicator(choice, key);
  }

  setDrawings(drawings: readonly Drawing[]): void {
    this.drawings.set(drawings);
  }

  startTool(tool: Tool | null): void {
    this.drawings.startTool(tool);
  }

  select(id: string | null): void {
    this.drawings.select(id);
  }

  middle(tool: Tool): DrawingPoint[] {
    const size = this.chart.getSize(CANDLES, "main");
    const [width, height] = [size?.width ?? 0, size?.height ?? 0];
    const places = (tool === "fibonacci" ? [[0.3, 0.85], [0.6, 0.15]] : [[0.4, 0.55], [0.6, 0.4], [0.4, 0.7]]).slice(0, OVERLAYS[tool].points);
    const points = this.chart.convertFromPixel(places.map(([x, y]) => ({ x: width * (x ?? 0), y: height * (y ?? 0) })), { paneId: CANDLES });
    return (Array.isArray(points) ? points : [points]).map((point) => ({ atMs: point.timestamp ?? Date.now(), price: point.value ?? 0 }));
  }

  step(): DrawingPoint {
    const points = this.chart.convertFromPixel([{ x: 0, y: 0 }, { x: 0, y: NUDGE_PX }], { paneId: CANDLES });
    const [top, below] = Array.isArray(points) ? points : [];
    return { atMs: this.options.widthMs || 1000, price: Math.abs((top?.value ?? 0) - (below?.value ?? 0)) };
  }

  private addIndicator(choice: IndicatorChoice, key: string): void {
    const kind = kindOf(choice.name);
    if (!kind) return;
    const onPrice = kind.place === "price";
    const id = this.chart.createIndicator({ name: choice.name, calcParams: [...choice.params], ...(onPrice ? { paneId: CANDLES } : {}) }, onPrice);
    if (id === null) return;
    this.shown.push({ id, key });
    const paneId = this.chart.getIndicators({ id })[0]?.paneId;
    if (!onPrice && paneId !== undefined) this.chart.setPaneOptions({ id: paneId, height: PANE_HEIGHT, minHeight: 48 });
  }

  private rightDistance(): number {
    const count = this.chart.getDataList().length;
    if (count === 0) return SPACE_PX;
    const hidden = count - this.chart.getVisibleRange().realTo;
    return hidden > 0 ? -hidden * this.chart.getBarSpace().bar : this.chart.getOffsetRightDistance();
  }

  private restyle(): void {
    const { colours, font } = this.options;
    this.chart.setStyles(stylesOf(colours, font, this.kind, this.late));
  }

  private redraw(): void {
    this.chart.overrideIndicator({ name: SCENE, paneId: CANDLES });
  }

  private barOf({ candle }: Slot): KLineData | null {
    if (!candle) return null;
    const at = (value: number): number => toPlotted(value, this.options.scale);
    return { timestamp: candle.startMs, open: at(candle.open), high: at(candle.high), low: at(candle.low), close: at(candle.close) };
  }

  private readonly onRange = (): void => {
    const { realFrom, realTo } = this.chart.getVisibleRange();
    const count = this.chart.getDataList().length;
    if (count === 0) return;
    this.options.onLive(count - realTo <= LIVE_SLACK_BARS);
    if (realFrom < NEAR_START_BARS) this.options.onNearStart();
  };
}

function partOf(template: string): "day" | "minute" | "second" {
  if (template.includes("ss")) return "second";
  return template.includes("HH") ? "minute" : "day";
}
