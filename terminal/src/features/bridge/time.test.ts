import { describe, expect, it } from "vitest";
import { msText, percentileSegments, scaleOf, segmentsOf } from "./time";

const latency = { signal_ms: 10, transport_ms: -2, transport_uncertainty_ms: 5, log_ms: 5, risk_ms: null, placement_ms: 5, total_ms: 18 };

describe("where the time went", () => {
  it("lays parts end to end, gives no room to one below zero, and leaves out what was not measured", () => {
    expect(segmentsOf(latency).map(({ component, ms, from, share }) => [component, ms, from, share])).toEqual([
      ["signal", 10, 0, 0.5], ["transport", -2, 0.5, 0], ["log", 5, 0.5, 0.25], ["placement", 5, 0.75, 0.25],
    ]);
  });

  it("draws nothing for a signal without times", () => {
    expect(segmentsOf({ ...latency, signal_ms: null, transport_ms: null, log_ms: null, placement_ms: null })).toEqual([]);
    expect(segmentsOf({ ...latency, signal_ms: 0, transport_ms: 0, log_ms: 0, placement_ms: 0 }).every(({ share }) => share === 0)).toBe(true);
  });

  it("takes one scale for several bars", () => {
    const of = (ms: number) => ({ p50_ms: ms, p95_ms: 2 * ms, p99_ms: null });
    const bar = percentileSegments({ signal: of(1), transport: of(2), log: of(1), risk: of(1), placement: of(5) }, "p95", 40);
    expect(bar.map(({ share }) => share)).toEqual([0.05, 0.1, 0.05, 0.05, 0.25]);
    expect([scaleOf([]), scaleOf([18]), scaleOf([20.1]), scaleOf([999])]).toEqual([1, 20, 50, 1000]);
  });

  it("writes as many decimals as say something", () => {
    expect([0.4, -2, 12.34, 512.9].map(msText)).toEqual(["0.40", "-2.00", "12.3", "513"]);
  });
});
