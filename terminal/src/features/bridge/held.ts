import type { HeldState } from "@/api/bridge";

type Translate = (key: string, values?: Record<string, unknown>) => string;

/** What a state holds for, in words. */
export function placeName({ scope, name }: HeldState, t: Translate, knows: (key: string) => boolean): string {
  const key = `bridge.switch.place.${scope}`;
  return knows(key) ? t(key, { name: name ?? "" }) : `${scope} ${name ?? ""}`.trim();
}
