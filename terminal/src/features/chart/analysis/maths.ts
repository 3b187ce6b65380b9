/**
 * Indicators that the chart library lacks, as plain functions over candles. A value is null until there are enough
 * candles for it, so that nothing is drawn from half a window. No volume is used: the feed has prices only.
 */

export interface Bar {
  open: number;
  high: number;
  low: number;
  close: number;
}

export type Values = (number | null)[];

const lacks = (value: number | null | undefined): value is null | undefined => value === null || value === undefined;
const closes = (bars: readonly Bar[]): number[] => bars.map((bar) => bar.close);

/** Apply a function to each full window of the last `n` values; a window with a hole gives null. */
function windows(values: readonly (number | null)[], n: number, made: (window: readonly number[]) => number): Values {
  return values.map((_, index) => {
    if (n < 1 || index + 1 < n) return null;
    const window = values.slice(index + 1 - n, index + 1);
    return window.includes(null) ? null : made(window as number[]);
  });
}

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);

export function sma(values: readonly (number | null)[], n: number): Values {
  return windows(values, n, (window) => sum(window) / n);
}

/** Linearly weighted: the newest value counts `n` times, the oldest once. */
export function wma(values: readonly (number | null)[], n: number): Values {
  const weight = (n * (n + 1)) / 2;
  return windows(values, n, (window) => sum(window.map((each, index) => each * (index + 1))) / weight);
}

/** Smoothed by a factor, from the mean of the first full window on. */
function smoothed(values: readonly (number | null)[], n: number, factor: number): Values {
  const first = sma(values, n);
  let last: number | null = null;
  return values.map((value, index) => {
    last = last === null || value === null ? (first[index] ?? null) : last + factor * (value - last);
    return last;
  });
}

export function ema(values: readonly (number | null)[], n: number): Values {
  return smoothed(values, n, 2 / (n + 1));
}

/** Wilder's smoothing, used by ATR and RSI. */
export function rma(values: readonly (number | null)[], n: number): Values {
  return smoothed(values, n, 1 / n);
}

/** Hull: a weighted mean that hurries. */
export function hma(bars: readonly Bar[], n: number): Values {
  const price = closes(bars);
  const [half, whole] = [wma(price, Math.max(1, Math.floor(n / 2))), wma(price, n)];
  const raised = whole.map((value, index) => (value === null || lacks(half[index]) ? null : 2 * half[index] - value));
  return wma(raised, Math.max(1, Math.round(Math.sqrt(n))));
}

export function trueRange(bars: readonly Bar[]): number[] {
  return bars.map((bar, index) => {
    const before = bars[index - 1]?.close;
    return before === undefined ? bar.high - bar.low : Math.max(bar.high, before) - Math.min(bar.low, before);
  });
}

export function atr(bars: readonly Bar[], n: number): Values {
  return rma(trueRange(bars), n);
}

export interface Band {
  upper: number | null;
  middle: number | null;
  lower: number | null;
}

/** Keltner: the range around an exponential mean. */
export function keltner(bars: readonly Bar[], n: number, range: number, factor: number): Band[] {
  const [middle, width] = [ema(closes(bars), n), atr(bars, range)];
  return middle.map((value, index) => {
    const away = lacks(width[index]) ? null : width[index] * factor;
    return value === null || away === null ? { upper: null, middle: null, lower: null } : { upper: value + away, middle: value, lower: value - away };
  });
}

function highest(bars: readonly Bar[], n: number): Values {
  return windows(bars.map((bar) => bar.high), n, (window) => Math.max(...window));
}

function lowest(bars: readonly Bar[], n: number): Values {
  return windows(bars.map((bar) => bar.low), n, (window) => Math.min(...window));
}

const middleOf = (a: number | null | undefined, b: number | null | undefined): number | null => (lacks(a) || lacks(b) ? null : (a + b) / 2);

/** Donchian: highest high and lowest low. */
export function donchian(bars: readonly Bar[], n: number): Band[] {
  const [upper, lower] = [highest(bars, n), lowest(bars, n)];
  return bars.map((_, index) => ({ upper: upper[index] ?? null, middle: middleOf(upper[index], lower[index]), lower: lower[index] ?? null }));
}

export interface Lines {
  k: number | null;
  d: number | null;
}

/** Place of a value between the extremes of its window, in percent; the middle where the window is flat. */
const within = (value: number, low: number, high: number): number => (high === low ? 50 : 100 * ((value - low) / (high - low)));

export function stochastic(bars: readonly Bar[], n: number, smooth: number, signal: number): Lines[] {
  const [high, low] = [highest(bars, n), lowest(bars, n)];
  const raw = bars.map((bar, index) => (lacks(high[index]) || lacks(low[index]) ? null : within(bar.close, low[index], high[index])));
  const k = sma(raw, smooth);
  const d = sma(k, signal);
  return bars.map((_, index) => ({ k: k[index] ?? null, d: d[index] ?? null }));
}

export function rsi(bars: readonly Bar[], n: number): Values {
  const moves = bars.map((bar, index) => (index === 0 ? null : bar.close - (bars[index - 1]?.close ?? bar.close)));
  const gain = rma(moves.map((move) => (move === null ? null : Math.max(move, 0))), n);
  const loss = rma(moves.map((move) => (move === null ? null : Math.max(-move, 0))), n);
  return gain.map((up, index) => {
    const down = loss[index] ?? null;
    if (up === null || down === null) return null;
    return up + down === 0 ? 50 : (100 * up) / (up + down);
  });
}

/** The stochastic of the RSI. */
export function stochRsi(bars: readonly Bar[], length: number, n: number, smooth: number, signal: number): Lines[] {
  const strength = rsi(bars, length);
  const raw = windows(strength, n, (window) => within(window.at(-1) ?? 0, Math.min(...window), Math.max(...window)));
  const k = sma(raw, smooth);
  const d = sma(k, signal);
  return bars.map((_, index) => ({ k: k[index] ?? null, d: d[index] ?? null }));
}

export interface Cloud {
  conversion: number | null;
  base: number | null;
  spanA: number | null;
  spanB: number | null;
  lagging: number | null;
}

/** Ichimoku: the spans are those computed `base` candles ago, the lagging line is the close that many candles later. */
export function ichimoku(bars: readonly Bar[], short: number, base: number, long: number): Cloud[] {
  const line = (n: number): Values => {
    const [high, low] = [highest(bars, n), lowest(bars, n)];
    return bars.map((_, index) => middleOf(high[index], low[index]));
  };
  const [conversion, standard, slow] = [line(short), line(base), line(long)];
  return bars.map((_, index) => ({
    conversion: conversion[index] ?? null,
    base: standard[index] ?? null,
    spanA: middleOf(conversion[index - base], standard[index - base]),
    spanB: slow[index - base] ?? null,
    lagging: bars[index + base]?.close ?? null,
  }));
}

export interface Trend {
  up: number | null;
  down: number | null;
}

/** SuperTrend: a stop that follows the price at a distance of its range, and changes side when it is crossed. */
export function superTrend(bars: readonly Bar[], n: number, factor: number): Trend[] {
  const range = atr(bars, n);
  let [upper, lower, rising] = [0, 0, true];
  let begun = false;
  return bars.map((bar, index) => {
    const width = range[index];
    if (lacks(width)) return { up: null, down: null };
    const middle = (bar.high + bar.low) / 2;
    const [top, bottom] = [middle + factor * width, middle - factor * width];
    const before = bars[index - 1]?.close ?? bar.close;
    const [lastUpper, lastLower] = [upper, lower];
    upper = !begun || top < lastUpper || before > lastUpper ? top : lastUpper;
    lower = !begun || bottom > lastLower || before < lastLower ? bottom : lastLower;
    if (begun) rising = rising ? bar.close >= lower : bar.close > upper;
    begun = true;
    return rising ? { up: lower, down: null } : { up: null, down: upper };
  });
}

export interface Aroon {
  up: number | null;
  down: number | null;
}

/** Aroon: how lately the highest high and the lowest low of the last `n` steps came, in percent. */
export function aroon(bars: readonly Bar[], n: number): Aroon[] {
  return bars.map((_, index) => {
    if (index < n) return { up: null, down: null };
    const window = bars.slice(index - n, index + 1);
    const [top, bottom] = [Math.max(...window.map((bar) => bar.high)), Math.min(...window.map((bar) => bar.low))];
    const last = (holds: (bar: Bar) => boolean): number => window.findLastIndex(holds);
    return { up: (100 * last((bar) => bar.high === top)) / n, down: (100 * last((bar) => bar.low === bottom)) / n };
  });
}
