import type { tournaments as english } from "../en/tournaments";

export const tournaments: typeof english = {
  tournament: {
    title: "Aún no hay torneos",
    body: "Cuando se abra uno, te apuntarás aquí y operarás desde su propia cuenta, aparte de tu dinero real y de práctica.",
    back: "Operar en Demo",
  },
};
