import type { Installation } from "@/api/bridge";

/** Alerts need no terminal: an installation of their own holds them, one for each account that they trade on. */
export const OWN_ACCOUNT = "TradingView";

type Place = Pick<Installation, "account" | "server">;
type Translate = (key: string, words: Record<string, unknown>) => string;

/** What an installation is called among hooks: the alerts' own one needs no server. */
export function placeName({ account, server }: Place, t: Translate): string {
  return account === OWN_ACCOUNT ? account : t("bridge.at", { account, server });
}
