const TOKENS = [
  "panel", "raised", "grid", "line", "line-strong", "text", "text-2", "text-3", "accent", "accent-tint", "wait", "wait-tint",
  "series-1", "series-2", "series-3", "series-4", "series-5",
  "up", "up-solid", "up-candle", "up-fill", "on-up", "up-tint", "down", "down-solid", "down-candle", "on-down", "down-tint",
  "won", "lost", "tied", "refunded",
] as const;

export type Token = (typeof TOKENS)[number];
export type Colours = Readonly<Record<Token, string>>;

/** Resolve the design tokens to plain colours, which is all a canvas understands. */
export function readColours(): Colours {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const entries = TOKENS.map((token) => {
    probe.style.color = `var(--${token})`;
    return [token, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(entries) as Record<Token, string>;
}

/** A resolved colour, seen through. */
export function faded(colour: string, alpha: number): string {
  return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${String(alpha)})`);
}

/** The page's typeface, for words drawn on a canvas. */
export function readFont(): string {
  return getComputedStyle(document.documentElement).fontFamily;
}

/** Hear when the page changes between dark and light or between colour pairs. */
export function onColours(listener: () => void): () => void {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  scheme.addEventListener("change", listener);
  return () => {
    observer.disconnect();
    scheme.removeEventListener("change", listener);
  };
}
