import type { IChartApi, ISeriesApi, ISeriesPrimitive, ISeriesPrimitiveAxisView, IPrimitivePaneView, Logical, SeriesAttachedParameter, SeriesType, Time } from "lightweight-charts";
import type { MarkPlace, Size } from "./port";
import type { Frame, Scene } from "./scene";

type PaneRenderer = NonNullable<ReturnType<IPrimitivePaneView["renderer"]>>;
type Target = Parameters<PaneRenderer["draw"]>[0];

/** The scene as a primitive of Lightweight Charts. */
export class ScenePrimitive implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<SeriesType> | null = null;
  private requestUpdate: () => void = () => undefined;

  constructor(
    private readonly scene: Scene,
    private readonly positionOf: (atMs: number) => number,
    private readonly onMarks: (places: readonly MarkPlace[], room: Size) => void,
  ) {}

  attached({ chart, series, requestUpdate }: SeriesAttachedParameter<Time>): void {
    this.chart = chart as IChartApi;
    this.series = series;
    this.requestUpdate = requestUpdate;
  }

  detached(): void {
    this.chart = this.series = null;
  }

  redraw(): void {
    this.requestUpdate();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [
      { zOrder: () => "bottom", renderer: () => ({ draw: (target) => { this.draw(target, (pen, frame) => { this.scene.below(pen, frame); }); } }) },
      { zOrder: () => "top", renderer: () => ({ draw: (target) => { this.draw(target, (pen, frame) => { this.onMarks(this.scene.above(pen, frame), frame.size); }); } }) },
    ];
  }

  priceAxisViews(): readonly ISeriesPrimitiveAxisView[] {
    const { colours } = this.scene.look;
    return this.scene.labels(this.frame({ width: 0, height: 0 })).map(({ order, y }) => ({
      coordinate: () => y,
      text: () => order.openText,
      textColor: () => colours[order.direction === "up" ? "on-up" : "on-down"],
      backColor: () => colours[order.direction === "up" ? "up-solid" : "down-solid"],
    }));
  }

  timeAxisViews(): readonly ISeriesPrimitiveAxisView[] {
    const { colours } = this.scene.look;
    return this.scene.times().map(({ atMs, text, clock }) => ({
      coordinate: () => this.x(atMs) ?? -1000,
      text: () => text,
      textColor: () => (clock ? colours.accent : colours.text),
      backColor: () => (clock ? colours["accent-tint"] : colours["line-strong"]),
    }));
  }

  updateAllViews(): void {
    // Views compute their places while they draw, so there is nothing to prepare.
  }

  private draw(target: Target, run: (pen: CanvasRenderingContext2D, frame: Frame) => void): void {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => { run(context, this.frame(mediaSize)); });
  }

  private frame(size: Size): Frame {
    return { size, x: (atMs) => this.x(atMs), y: (price) => this.series?.priceToCoordinate(price) ?? null };
  }

  private x(atMs: number): number | null {
    const scale = this.chart?.timeScale();
    if (!scale) return null;
    const position = this.positionOf(atMs);
    const left = Math.floor(position);
    const from = scale.logicalToCoordinate(left as Logical);
    const to = scale.logicalToCoordinate((left + 1) as Logical);
    return from === null || to === null ? null : from + (to - from) * (position - left);
  }
}
