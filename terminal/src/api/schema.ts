/** The one place that names the API's types; `npm run api` writes `schema.d.ts` from the server's schema. */

import type { components, operations, paths } from "./schema.d";

type Schemas = components["schemas"];

export type { paths };
export type { AccountEvent, BalanceChange, Page, ProblemBody } from "./contract";

export type ApiToken = Schemas["Token"];
export type CandleRecord = Schemas["Candle"];
export type Direction = Schemas["DirectionEnum"];
export type Ledger = Schemas["LedgerEnum"];
export type Limits = Schemas["Limits"];
export type LimitName = keyof Schemas["LimitsByName"];
export type LimitsWanted = Schemas["LimitsRequestRequest"];
export type MarketState = Schemas["SymbolStateEnum"];
export type NewOrder = Schemas["OrderRequestRequest"];
export type NewToken = Schemas["NewToken"];
export type Order = Schemas["Order"];
export type OrderState = Schemas["OrderStateEnum"];
export type OrdersQuery = NonNullable<operations["orders_list"]["parameters"]["query"]>;
export type OwnLimits = Schemas["Limits"];
export type OwnLimit = Schemas["OwnLimit"];
export type Scope = Schemas["ScopesEnum"];
export type SymbolRecord = Schemas["Symbol"];
export type TokenWanted = Schemas["TokenRequestRequest"];
export type Wallet = Schemas["Wallet"];
export type WalletEntry = Schemas["Entry"];
export type JournalEntry = Schemas["JournalEntry"];
export type JournalRow = Schemas["JournalRow"];
export type JournalTag = Schemas["JournalTag"];
export type OrderFigures = Schemas["OrderFigures"];
export type FiguresGroup = Schemas["FiguresGroup"];
export type Receipt = Schemas["Receipt"];
export type ReceiptTick = Schemas["ReceiptTick"];
export type Statistics = Schemas["Statistics"];
export type StatisticsQuery = NonNullable<operations["statistics"]["parameters"]["query"]>;
export type JournalQuery = NonNullable<operations["journal"]["parameters"]["query"]>;
export type WalletPeriod = Schemas["Period"];
