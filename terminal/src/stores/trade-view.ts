import { defineStore } from "pinia";
import { ref } from "vue";

/** What is open over the trading page; more than one part of it may open the same thing. */
export const useTradeView = defineStore("trade-view", () => {
  const picking = ref(false);
  const orders = ref(false);
  return { picking, orders };
});
