/** What a recorded trace says of the main thread: how much script, and how much of everything, each frame took. */

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds. */
  ts: number;
  dur?: number;
  args?: { name?: string };
}

export interface FrameTimes {
  frames: number;
  seconds: number;
  scriptMs: number[];
  taskMs: number[];
}

export interface Spread {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

const SCRIPT = new Set(["FunctionCall", "EvaluateScript", "RunMicrotasks", "FireAnimationFrame", "TimerFire", "EventDispatch", "v8.callFunction", "V8.GCScavenger", "MinorGC", "MajorGC"]);
const TASK = new Set(["RunTask", "ThreadControllerImpl::RunTask"]);
/** What each frame has once, by the age of the browser: its begin, or where what it has drawn is handed over. */
const FRAMES = ["BeginMainThreadFrame", "BeginCommitCompositorFrame"];

/** Figures to a hundredth. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 100) / 100;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** The time that events cover, in each span between two of the given instants; what is nested counts once. */
function covered(events: readonly TraceEvent[], bounds: readonly number[]): number[] {
  const spans = new Array<number>(Math.max(0, bounds.length - 1)).fill(0);
  let [until, frame] = [0, 0];
  for (const { ts, dur = 0 } of [...events].sort((a, b) => a.ts - b.ts)) {
    let from = Math.max(ts, until);
    const end = ts + dur;
    until = Math.max(until, end);
    while (from < end) {
      while (frame < spans.length && (bounds[frame + 1] ?? 0) <= from) frame += 1;
      if (frame >= spans.length) return spans.map((micro) => micro / 1000);
      if (end <= (bounds[frame] ?? 0)) break;
      const [open, close] = [Math.max(from, bounds[frame] ?? 0), Math.min(end, bounds[frame + 1] ?? 0)];
      spans[frame] = (spans[frame] ?? 0) + close - open;
      from = close;
    }
  }
  return spans.map((micro) => micro / 1000);
}

/** Throws where the trace has no frames: figures of nothing would look like very good ones. */
export function frameTimes(trace: Buffer): FrameTimes {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const thread = (each: TraceEvent): string => `${String(each.pid)}/${String(each.tid)}`;
  const name = FRAMES.find((wanted) => traceEvents.some((each) => each.name === wanted));
  if (name === undefined) throw new Error("the trace has no frames");
  const counts = new Map<string, number>();
  for (const each of traceEvents) if (each.name === name) counts.set(thread(each), (counts.get(thread(each)) ?? 0) + 1);
  const [main] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [""];
  const mine = traceEvents.filter((each) => thread(each) === main);
  const bounds = mine.filter((each) => each.name === name).map((each) => each.ts).sort((a, b) => a - b);
  const full = mine.filter((each) => each.ph === "X");
  return {
    frames: Math.max(0, bounds.length - 1),
    seconds: ((bounds.at(-1) ?? 0) - (bounds[0] ?? 0)) / 1_000_000,
    scriptMs: covered(full.filter((each) => SCRIPT.has(each.name)), bounds),
    taskMs: covered(full.filter((each) => TASK.has(each.name)), bounds),
  };
}
