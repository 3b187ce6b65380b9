import { http, unwrap } from "./client";
import { ApiProblem, problemFrom } from "./problem";
import type { ApiToken, NewToken, Page, TokenWanted } from "./schema";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function tokensList(cursor?: string, limit = 50): Promise<Page<ApiToken>> {
  return unwrap(http.GET("/api/v1/tokens", { params: { query: { limit, ...(cursor === undefined ? {} : { cursor }) } } }));
}

/** Make a token; its secret is in this answer and nowhere else. */
export function tokenCreate(wanted: TokenWanted): Promise<NewToken> {
  return unwrap(http.POST("/api/v1/tokens", { body: wanted }));
}

/** Revoke a token for ever. One that is revoked already is what was wanted. */
export async function tokenRevoke(id: string): Promise<void> {
  const { error, response } = await http.DELETE("/api/v1/tokens/{token_id}", { params: { path: { token_id: id } } });
  if (!response.ok && response.status !== 404) throw problemFrom(error, response);
}

/** Read all tokens there are. */
export async function tokensEvery(): Promise<ApiToken[]> {
  const found: ApiToken[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<ApiToken> = await tokensList(cursor, 500);
    found.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

/**
 * Revoke all tokens, waiting where the server asks to slow down.
 * @returns how many were revoked
 * @throws ApiProblem, NoAnswer at the first that could not be revoked
 */
export async function tokensRevokeEvery(wait: (ms: number) => Promise<void> = pause): Promise<number> {
  const tokens = await tokensEvery();
  for (const token of tokens) {
    for (;;) {
      try {
        await tokenRevoke(token.id);
        break;
      } catch (error) {
        if (!(error instanceof ApiProblem) || error.status !== 429) throw error;
        await wait((error.retryAfterS ?? 1) * 1000);
      }
    }
  }
  return tokens.length;
}
