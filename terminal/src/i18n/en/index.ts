import { auth } from "./auth";
import { chart } from "./chart";
import { developer } from "./developer";
import { faults } from "./faults";
import { help } from "./help";
import { history } from "./history";
import { limits } from "./limits";
import { orders } from "./orders";
import { security } from "./security";
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
  ...developer,
  ...limits,
  ...security,
  ...faults,
  ...tournaments,
  ...help,
  ...auth,
};
