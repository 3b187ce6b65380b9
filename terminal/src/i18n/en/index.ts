import { auth } from "./auth";
import { chart } from "./chart";
import { faults } from "./faults";
import { help } from "./help";
import { history } from "./history";
import { orders } from "./orders";
import { shell } from "./shell";
import { symbols } from "./symbols";
import { ticket } from "./ticket";
import { tournaments } from "./tournaments";
import { wallet } from "./wallet";

/** Every word of the terminal, but those of the fairness page. The same thing has the same word everywhere. */
export const en = {
  ...shell,
  ...symbols,
  ...chart,
  ...ticket,
  ...orders,
  ...history,
  ...wallet,
  ...faults,
  ...tournaments,
  ...help,
  ...auth,
};
