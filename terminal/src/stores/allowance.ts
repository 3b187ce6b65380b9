import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { ownLimitsRead } from "@/api/own-limits";
import type { OwnLimits } from "@/api/schema";
import { compareAmounts } from "@/lib/money";
import { parseInstant } from "@/lib/time";
import { useClock } from "./clock";
import { usePreferences } from "./preferences";

const OF_MONEY = ["stake_day", "loss_day", "loss_7d", "loss_30d"] as const;
export type MoneyLimit = (typeof OF_MONEY)[number];

export type Barred = { kind: "banned" } | { kind: "excluded" | "on_break"; untilMs: number };

const after = (text: string | null | undefined, nowMs: number): number | null => {
  const at = text ? parseInstant(text) : 0;
  return at > nowMs ? at : null;
};

/** What the user's own limits leave for the next order. The server judges; this only tells beforehand. */
export const useAllowance = defineStore("allowance", () => {
  const [clock, preferences] = [useClock(), usePreferences()];
  const limits = shallowRef<OwnLimits | null>(null);
  const banned = ref(false);

  /** The tightest of the limits on money that are set, and what it leaves; they bind real money only. */
  const left = computed<{ name: MoneyLimit; amount: string } | null>(() => {
    if (preferences.ledger !== "real" || !limits.value) return null;
    const set = OF_MONEY.flatMap((name) => {
      const amount = limits.value?.data[name].left ?? null;
      return amount === null ? [] : [{ name, amount: String(amount) }];
    });
    return set.reduce<{ name: MoneyLimit; amount: string } | null>((least, each) => (least === null || compareAmounts(each.amount, least.amount) < 0 ? each : least), null);
  });

  /** Why this person takes no new orders at all, on any account. */
  const barred = computed<Barred | null>(() => {
    if (banned.value) return { kind: "banned" };
    const excluded = after(limits.value?.excluded_until, clock.nowMs);
    if (excluded !== null) return { kind: "excluded", untilMs: excluded };
    const pause = after(limits.value?.break_until, clock.nowMs);
    return pause === null ? null : { kind: "on_break", untilMs: pause };
  });

  /** Read them anew; without an answer the last figures stand, since the server judges every order anyway. */
  async function read(): Promise<void> {
    try {
      limits.value = await ownLimitsRead();
    } catch {
      return;
    }
  }

  function setBanned(now: boolean): void {
    banned.value = now;
  }

  return { limits, left, barred, read, setBanned };
});
