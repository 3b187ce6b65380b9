/** Which tokens stand on which, and how much contrast that needs: 4.5 for text, 3 for graphics and borders of controls. */
export interface Pair {
  front: string;
  back: string;
  need: 4.5 | 3;
}

const text = (front: string, ...backs: string[]): Pair[] => backs.map((back) => ({ front, back, need: 4.5 }));
const shape = (front: string, ...backs: string[]): Pair[] => backs.map((back) => ({ front, back, need: 3 }));

export const GROUPS: readonly { name: string; pairs: readonly Pair[] }[] = [
  { name: "words", pairs: [...text("text", "panel", "hover"), ...text("text-2", "panel", "raised"), ...text("text-3", "chrome", "panel", "raised")] },
  { name: "act", pairs: [...text("accent", "panel", "accent-tint"), ...text("on-accent", "accent-solid"), ...shape("accent", "chrome"), ...shape("accent-solid", "panel")] },
  { name: "direction", pairs: [...text("up", "panel"), ...text("on-up", "up-solid"), ...shape("up-candle", "panel"), ...text("down", "panel"), ...text("on-down", "down-solid"), ...shape("down-candle", "panel")] },
  { name: "results", pairs: [...text("won", "panel", "won-tint"), ...text("lost", "panel", "lost-tint"), ...text("tied", "panel", "tied-tint"), ...text("refunded", "panel", "refunded-tint")] },
  { name: "wait", pairs: text("wait", "panel", "wait-tint", "chrome") },
  { name: "accounts", pairs: [...text("real", "panel"), ...text("chrome", "real"), ...text("demo", "panel", "demo-tint"), ...text("tournament", "panel", "tournament-tint")] },
  { name: "surfaces", pairs: shape("edge", "panel", "raised", "chrome") },
];
export const TYPE = ["t-11", "t-12", "t-13", "t-14", "t-16", "t-20", "t-24", "t-32"] as const;
export const SPACE = [1, 2, 3, 4, 5, 6, 8, 10, 12] as const;
