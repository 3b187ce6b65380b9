import type { IconName } from "@/design/icons";

export type PageName = "trade" | "history" | "tournaments" | "wallet" | "developer" | "help";

/** The pages of the terminal in the order of the rail. */
export const pages: readonly { name: PageName; icon: IconName }[] = [
  { name: "trade", icon: "trade" },
  { name: "history", icon: "history" },
  { name: "tournaments", icon: "cup" },
  { name: "wallet", icon: "wallet" },
  { name: "developer", icon: "code" },
  { name: "help", icon: "help" },
];
