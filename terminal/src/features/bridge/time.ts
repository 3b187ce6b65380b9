import { COMPONENTS, type Component, type Latency, type Percentiles } from "@/api/bridge";

/** A stretch of a bar: which part of the way, how long it took, and where it lies within the bar, each 0 to 1. */
export interface Segment {
  component: Component;
  ms: number;
  from: number;
  share: number;
}

const measured = ({ component, ms }: { component: Component; ms: number | null }): { component: Component; ms: number }[] => (ms === null ? [] : [{ component, ms }]);

/** Lay parts end to end on a scale; a part that is below zero, which a clock's offset allows, takes no room. */
function laid(parts: { component: Component; ms: number | null }[], scaleMs: number): Segment[] {
  let from = 0;
  return parts.flatMap(measured).map(({ component, ms }) => {
    const share = scaleMs > 0 ? Math.max(0, ms) / scaleMs : 0;
    const segment = { component, ms, from, share };
    from += share;
    return segment;
  });
}

/** Where the time of one signal went; its whole bar is what the parts sum up to. */
export function segmentsOf(latency: Latency): Segment[] {
  const parts = COMPONENTS.map((component) => ({ component, ms: latency[`${component}_ms`] }));
  return laid(parts, parts.reduce((sum, { ms }) => sum + Math.max(0, ms ?? 0), 0));
}

export type Percentile = "p50" | "p95" | "p99";

/** The same percentile of each part end to end, on a scale that several bars share. */
export function percentileSegments(components: Record<Component, Percentiles>, percentile: Percentile, scaleMs: number): Segment[] {
  return laid(COMPONENTS.map((component) => ({ component, ms: components[component][`${percentile}_ms`] })), scaleMs);
}

/** The end of a scale on which everything fits: the next of 1, 2, 5, 10, 20 .. ms. */
export function scaleOf(lengthsMs: readonly number[]): number {
  const longest = Math.max(1, ...lengthsMs);
  const power = 10 ** Math.floor(Math.log10(longest));
  return ([1, 2, 5, 10].find((step) => step * power >= longest) ?? 10) * power;
}

/** A length in milliseconds with as many decimals as say something. */
export function msText(ms: number): string {
  const size = Math.abs(ms);
  return ms.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}
