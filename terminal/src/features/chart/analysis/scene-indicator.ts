import { registerIndicator, type XAxis, type YAxis } from "klinecharts";
import type { Frame, Scene } from "../scene";
import type { DrawnKind, MarkPlace, Size } from "../port";

export const SCENE = "fairScene";

/** What the scene's painter needs of the chart it stands on. */
export interface Stage {
  scene: Scene;
  kind: () => DrawnKind;
  positionOf: (atMs: number) => number;
  /** Whether a gap lies before a candle: a line is not drawn across it. */
  gapBefore: (timestamp: number) => boolean;
  onMarks: (places: readonly MarkPlace[], room: Size) => void;
}

function frameOf(stage: Stage, xAxis: XAxis, yAxis: YAxis, width: number, height: number): Frame {
  const x = (atMs: number): number => {
    const position = stage.positionOf(atMs);
    const left = Math.floor(position);
    const from = xAxis.convertToPixel(left);
    return from + (xAxis.convertToPixel(left + 1) - from) * (position - left);
  };
  return { size: { width, height }, x, y: (price) => yAxis.convertToPixel(price) };
}

interface LineAsk {
  bars: readonly { timestamp: number; close: number }[];
  from: number;
  to: number;
  filled: boolean;
}

function drawLine(pen: CanvasRenderingContext2D, stage: Stage, xAxis: XAxis, yAxis: YAxis, height: number, { bars, from, to, filled }: LineAsk): void {
  const { colours } = stage.scene.look;
  let run: { x: number; y: number }[] = [];
  const end = (): void => {
    const [first, last] = [run[0], run.at(-1)];
    if (first && last) {
      pen.beginPath();
      for (const { x, y } of run) pen.lineTo(x, y);
      pen.lineWidth = 2;
      pen.lineJoin = "round";
      pen.strokeStyle = colours.text;
      pen.stroke();
      if (filled) {
        pen.lineTo(last.x, height);
        pen.lineTo(first.x, height);
        pen.globalAlpha = 0.12;
        pen.fillStyle = colours["text-3"];
        pen.fill();
        pen.globalAlpha = 1;
      }
    }
    run = [];
  };
  for (let index = Math.max(0, from - 1); index < Math.min(bars.length, to + 1); index += 1) {
    const bar = bars[index];
    if (!bar) continue;
    if (stage.gapBefore(bar.timestamp)) end();
    run.push({ x: xAxis.convertToPixel(index), y: yAxis.convertToPixel(bar.close) });
  }
  end();
}

const LABEL = { height: 18, pad: 6, radius: 4 };

function plate(pen: CanvasRenderingContext2D, text: string, right: number, middle: number, ink: string, fill: string, font: string): void {
  pen.font = `600 11px ${font}`;
  const width = Math.ceil(pen.measureText(text).width) + 2 * LABEL.pad;
  pen.beginPath();
  pen.roundRect(right - width, middle - LABEL.height / 2, width, LABEL.height, LABEL.radius);
  pen.fillStyle = fill;
  pen.fill();
  pen.fillStyle = ink;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(text, right - width + LABEL.pad, middle + 1);
}

/** Entry prices at the right edge, and the next expiry at its line: the library's axes take no labels of ours. */
function drawLabels(pen: CanvasRenderingContext2D, scene: Scene, frame: Frame): void {
  const { colours, font } = scene.look;
  const { width, height } = frame.size;
  for (const { order, y } of scene.labels(frame)) {
    const up = order.direction === "up";
    plate(pen, order.openText, width - 4, y, colours[up ? "on-up" : "on-down"], colours[up ? "up-solid" : "down-solid"], font);
  }
  for (const { atMs, text, clock } of scene.times()) {
    const x = frame.x(atMs);
    if (x === null || x < 0) continue;
    pen.font = `600 11px ${font}`;
    const half = (pen.measureText(text).width + 2 * LABEL.pad) / 2;
    plate(pen, text, Math.min(width - 4, x + half), height - 14, clock ? colours.accent : colours.text, clock ? colours["accent-tint"] : colours["line-strong"], font);
  }
}

/** The library copies whatever an indicator carries, so the stages are kept here, by their chart. */
export const stages = new Map<string, Stage>();
let registered = false;

/** The scene as an indicator without values: the library calls it to paint, on top of the candles. */
export function registerScene(): void {
  if (registered) return;
  registered = true;
  registerIndicator({
    name: SCENE,
    shortName: "",
    series: "price",
    figures: [],
    calc: (data) => data.map(() => ({})),
    createTooltipDataSource: () => ({ name: "", calcParamsText: "", features: [], legends: [] }),
    draw: ({ ctx, chart, bounding, xAxis, yAxis }) => {
      const stage = stages.get(chart.id);
      if (!stage) return true;
      const frame = frameOf(stage, xAxis, yAxis, bounding.width, bounding.height);
      ctx.save();
      stage.scene.below(ctx, frame);
      const kind = stage.kind();
      if (kind === "line" || kind === "area") {
        const { from, to } = chart.getVisibleRange();
        drawLine(ctx, stage, xAxis, yAxis, bounding.height, { bars: chart.getDataList(), from, to, filled: kind === "area" });
      }
      stage.onMarks(stage.scene.above(ctx, frame), frame.size);
      drawLabels(ctx, stage.scene, frame);
      ctx.restore();
      return true;
    },
  });
}
