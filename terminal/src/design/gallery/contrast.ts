/** Contrast as WCAG 2.2 defines it, of colours as the browser computed them. */

type Rgba = readonly [number, number, number, number];

/** Parse `rgb(…)`, `rgba(…)` or `color(srgb …)`. */
export function parseColour(text: string): Rgba {
  const numbers = [...text.matchAll(/-?[\d.]+(?:e-?\d+)?/g)].map(Number);
  const scale = text.startsWith("color(") ? 255 : 1;
  const [r = 0, g = 0, b = 0, a = 1] = numbers;
  return [r * scale, g * scale, b * scale, a];
}

/** A colour laid over an opaque one. */
export function over([r, g, b, a]: Rgba, [r2, g2, b2]: Rgba): Rgba {
  return [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];
}

function luminance([r, g, b]: Rgba): number {
  const channel = (value: number): number => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
}

export function contrast(front: Rgba, back: Rgba): number {
  const [a, b] = [luminance(over(front, back)), luminance(back)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** The value of a token in the scheme that is shown now. */
export function tokenColour(name: string): Rgba {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return parseColour(value);
}
