import type { IconName } from "./icons";

/** A row of a menu; `line` draws a seam above it, `checked` makes it a choice. */
export interface MenuItem<K extends string = string> {
  key: K;
  label: string;
  icon?: IconName;
  checked?: boolean;
  disabled?: boolean;
  danger?: boolean;
  line?: boolean;
  note?: string;
  /** Draws the mark of an account in front. */
  account?: "real" | "demo" | "tournament";
}
