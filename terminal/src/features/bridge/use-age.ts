import { useFormats } from "@/lib/formats";

/** An age that is told by the way: whole seconds below a minute, so that it does not flicker. */
export function useCalmAge(): (ms: number) => string {
  const { age, duration } = useFormats();
  return (ms) => (ms < 60_000 ? duration(Math.floor(Math.max(0, ms) / 1000)) : age(ms));
}
