/** What the tour shows, in order: the words of a step and the places it may point at, the first that is in view. */
export interface TourStep {
  name: "account" | "chart" | "expiry" | "buy" | "proof";
  anchors: readonly string[];
}

export const STEPS: readonly TourStep[] = [
  { name: "account", anchors: ["account"] },
  { name: "chart", anchors: ["chart"] },
  { name: "expiry", anchors: ["expiry", "stake"] },
  { name: "buy", anchors: ["buy"] },
  { name: "proof", anchors: ["dock", "fairness"] },
];

const MARGIN = 6;

export interface Box {
  top: number;
  left: number;
  width: number;
  height: number;
}

function boxesOf(name: string): Box[] {
  return [...document.querySelectorAll(`[data-tour="${name}"]`)].map((each) => each.getBoundingClientRect()).filter((box) => box.width > 0 && box.height > 0);
}

/** Around all the places of a step that are in view; null where there is none. */
export function boxOf(step: TourStep): Box | null {
  const boxes = step.name === "proof" ? (step.anchors.map(boxesOf).find((each) => each.length > 0) ?? []) : step.anchors.flatMap(boxesOf);
  if (boxes.length === 0) return null;
  const top = Math.max(0, Math.min(...boxes.map((box) => box.top)) - MARGIN);
  const left = Math.max(0, Math.min(...boxes.map((box) => box.left)) - MARGIN);
  const bottom = Math.min(innerHeight, Math.max(...boxes.map((box) => box.top + box.height)) + MARGIN);
  const right = Math.min(innerWidth, Math.max(...boxes.map((box) => box.left + box.width)) + MARGIN);
  return { top, left, width: right - left, height: bottom - top };
}

/** Where a card of a size stands best: beside the place, else below or above it, else over its lower part; always whole. */
export function placeBeside(box: Box | null, card: { width: number; height: number }, view: { width: number; height: number }): { top: number; left: number } {
  const gap = 12;
  const clamp = (value: number, most: number): number => Math.max(gap, Math.min(value, most - gap));
  if (!box) return { top: (view.height - card.height) / 2, left: (view.width - card.width) / 2 };
  const alongX = clamp(box.left, view.width - card.width);
  const alongY = clamp(box.top, view.height - card.height);
  if (box.left - gap - card.width >= gap) return { top: alongY, left: box.left - gap - card.width };
  if (box.top + box.height + gap + card.height <= view.height - gap) return { top: box.top + box.height + gap, left: alongX };
  if (box.top - gap - card.height >= gap) return { top: box.top - gap - card.height, left: alongX };
  if (box.left + box.width + gap + card.width <= view.width - gap) return { top: alongY, left: box.left + box.width + gap };
  return { top: clamp(box.top + box.height - card.height - gap, view.height - card.height), left: clamp(box.left + gap, view.width - card.width) };
}
