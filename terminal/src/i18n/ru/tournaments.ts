import type { tournaments as english } from "../en/tournaments";

export const tournaments: typeof english = {
  tournament: {
    title: "Турниров пока нет",
    body: "Когда турнир откроется, вы сможете вступить в него здесь и торговать с его отдельного счёта, не касаясь настоящих и учебных денег.",
    back: "Торговать на Демо",
  },
};
