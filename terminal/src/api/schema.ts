/** The one place that says where the API's types come from: the contract by hand, or the generated schema. */
export type { paths } from "./contract";
export type {
  AccountEvent,
  BalanceChange,
  CandleRecord,
  Direction,
  Ledger,
  MarketState,
  NewOrder,
  Order,
  OrdersQuery,
  OrderState,
  Page,
  ProblemBody,
  SymbolRecord,
  Tick,
  Wallet,
  WalletEntry,
} from "./contract";
