/** What the contract says beyond the server's OpenAPI schema: problem documents and the payloads of events. */

import type { components } from "./schema.d";

type Schemas = components["schemas"];

export interface BalanceChange {
  wallet_id: string;
  ledger: Schemas["LedgerEnum"];
  balance: string;
  open_stakes: string;
  cause: string;
}

/** An event as the socket and `/api/v1/events` bring it; `data` is narrowed by `type`. */
export type AccountEvent = Omit<Schemas["Event"], "data"> & { data: unknown };

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  retryable: boolean;
  errors: { field: string; code: string; message: string }[];
}

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}
