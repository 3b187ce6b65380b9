import { CandlestickSeries, ColorType, createChart, CrosshairMode, type CandlestickData, type IChartApi, type ISeriesApi, type UTCTimestamp } from "lightweight-charts";
import type { Candle } from "@/lib/candles";
import { formatAmount } from "@/lib/money";
import { toPlotted } from "@/lib/price";
import type { Colours } from "./colours";
import { OrderRooms } from "./order-rooms";
import type { ChartOptions, ChartPort, DrawnOrder, LastPrice } from "./port";

const NEAR_START_BARS = 40;
const LIVE_SLACK_BARS = -2;
const MIN_SPACE_BARS = 10;
const SPACE_MOST = 0.4;
const SPACE_OPEN = 0.2;

/** Candles and orders drawn by TradingView Lightweight Charts. */
export class LightweightChart implements ChartPort {
  private readonly chart: IChartApi;
  private readonly series: ISeriesApi<"Candlestick">;
  private readonly rooms: OrderRooms;
  private late = false;
  private lastMs = 0;

  constructor(element: HTMLElement, private readonly options: ChartOptions) {
    this.chart = createChart(element, {
      autoSize: true,
      localization: { locale: "en-GB", priceFormatter: (price: number) => formatAmount(price.toFixed(options.scale)) },
      crosshair: { mode: CrosshairMode.Normal },
      handleScale: { axisPressedMouseMove: { time: true, price: false } },
      kineticScroll: { touch: true, mouse: false },
      rightPriceScale: { scaleMargins: { top: 0.14, bottom: 0.12 }, minimumWidth: options.compact ? 64 : 76, borderVisible: true },
      timeScale: {
        timeVisible: true,
        secondsVisible: options.widthMs < 60_000,
        rightOffset: MIN_SPACE_BARS,
        barSpacing: options.compact ? 7 : 9,
        minBarSpacing: 2,
      },
    });
    this.series = this.chart.addSeries(CandlestickSeries, {
      priceFormat: { type: "price", precision: options.scale, minMove: 10 ** -options.scale },
      priceLineVisible: false,
    });
    this.rooms = new OrderRooms(options.positionOf, options.words, options.colours);
    this.series.attachPrimitive(this.rooms);
    this.setColours(options.colours);
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(this.onRange);
  }

  setCandles(candles: readonly Candle[]): void {
    this.series.setData(candles.map((candle) => this.plotted(candle)));
  }

  update(candle: Candle): void {
    this.series.update(this.plotted(candle));
  }

  /** Draw the orders, and make room on the right so that the next expiries are in sight. */
  setOrders(orders: readonly DrawnOrder[]): void {
    const end = this.options.positionOf(this.lastMs);
    const needed = orders.filter((each) => each.result === "open").map((each) => this.options.positionOf(each.expiresMs) - end + 3);
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const bars = range ? range.to - range.from : 0;
    const wanted = Math.max(0, ...needed.filter((each) => each <= bars * SPACE_MOST));
    const space = Math.max(MIN_SPACE_BARS, wanted, needed.length > 0 ? bars * SPACE_OPEN : 0);
    this.rooms.setOrders(orders);
    if (this.live) this.chart.timeScale().applyOptions({ rightOffset: Math.ceil(space) });
  }

  setLast(last: LastPrice | null): void {
    this.rooms.setLast(last);
    if (last) this.lastMs = last.atMs;
    const late = last?.late ?? false;
    if (late === this.late) return;
    this.late = late;
    this.colourLast();
  }

  setColours(colours: Colours): void {
    this.options.colours = colours;
    const label = colours["line-strong"];
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: colours.panel },
        textColor: colours["text-3"],
        fontFamily: '"Inter Variable", Inter, system-ui, sans-serif',
        fontSize: 11,
      },
      grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
      crosshair: {
        vertLine: { color: colours["text-3"], labelBackgroundColor: label },
        horzLine: { color: colours["text-3"], labelBackgroundColor: label },
      },
      rightPriceScale: { borderColor: colours.line },
      timeScale: { borderColor: colours.line },
    });
    this.series.applyOptions({
      upColor: colours["up-fill"],
      borderUpColor: colours["up-candle"],
      wickUpColor: colours["up-candle"],
      downColor: colours["down-candle"],
      borderDownColor: colours["down-candle"],
      wickDownColor: colours["down-candle"],
    });
    this.colourLast();
    this.rooms.setColours(colours);
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

  private colourLast(): void {
    this.series.applyOptions({ priceLineColor: this.late ? this.options.colours.wait : this.options.colours.text });
  }

  private readonly onRange = (range: { from: number; to: number } | null): void => {
    if (!range) return;
    this.options.onLive(this.live);
    if (range.from < NEAR_START_BARS) this.options.onNearStart();
  };

  private plotted(candle: Candle): CandlestickData<UTCTimestamp> {
    const { scale } = this.options;
    return {
      time: (candle.startMs / 1000) as UTCTimestamp,
      open: toPlotted(candle.open, scale),
      high: toPlotted(candle.high, scale),
      low: toPlotted(candle.low, scale),
      close: toPlotted(candle.close, scale),
    };
  }
}
