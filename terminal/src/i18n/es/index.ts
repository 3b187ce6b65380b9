import type { Messages } from "..";
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

export const es: Messages = {
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
