import { shell as english } from "../en/shell";

export const shell: typeof english = { ...english, units: { s: "с", min: "мин", h: "ч", d: "д" } };
