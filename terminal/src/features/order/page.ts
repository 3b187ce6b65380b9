import type { RouteComponent } from "vue-router";

/** An order's page with its words and those of the check that it makes. */
export async function orderPage(): Promise<RouteComponent> {
  const [page, order, fairness] = await Promise.all([import("./OrderPage.vue"), import("./words"), import("@/features/fairness/words")]);
  await Promise.all([order.bringOrderWords(), fairness.bringWords()]);
  return page.default;
}
