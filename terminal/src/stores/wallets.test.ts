import { describe, expect, it } from "vitest";
import { walletWith } from "@/test-data";
import { usePreferences } from "./preferences";
import { useWallets } from "./wallets";

describe("wallets", () => {
  it("take their balance from the event, each its own", () => {
    const wallets = useWallets();
    wallets.wallets = [walletWith(), walletWith({ id: "w-real", ledger: "real", balance: "5.00" })];
    wallets.apply({ wallet_id: "w-demo", ledger: "demo", balance: "9990.00", open_stakes: "10.00", cause: "order.open" });
    expect(wallets.current).toMatchObject({ balance: "9990.00", open_stakes: "10.00" });
    usePreferences().ledger = "real";
    expect(wallets.current?.balance).toBe("5.00");
  });

  it("ignore a wallet that is not shown", () => {
    const wallets = useWallets();
    wallets.wallets = [walletWith()];
    wallets.apply({ wallet_id: "other", ledger: "demo", balance: "1.00", open_stakes: "0.00", cause: "order.open" });
    expect(wallets.current?.balance).toBe("10000.00");
  });
});
