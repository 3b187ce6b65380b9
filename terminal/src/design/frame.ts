/** The colours of the frame for the system's own bars; the same as `--chrome`, which a meta element cannot name. */
const FRAME = { dark: "#0c1014", light: "#f6f8f9" } as const;

/** Let the system's bars follow the chosen theme; `system` leaves it to the scheme of the device. */
export function paintFrame(theme: "system" | "dark" | "light"): void {
  for (const meta of document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")) {
    const own = meta.media.includes("dark") ? FRAME.dark : FRAME.light;
    meta.content = theme === "system" ? own : FRAME[theme];
  }
}
