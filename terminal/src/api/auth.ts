/** The browser client of allauth's headless API: sessions, sign-up, e-mail code, second factor. */

import { csrfToken } from "./client";
import { NoAnswer } from "./problem";

const BASE = "/_allauth/browser/v1";

export interface AuthUser {
  id: string | number;
  email: string;
  display?: string;
}

export interface FieldError {
  message: string;
  code: string;
  param?: string;
}

export type PendingFlow = "verify_email" | "mfa_authenticate";

export type AuthState =
  | { kind: "signed-in"; user: AuthUser }
  | { kind: "pending"; flow: PendingFlow; factors?: readonly string[] }
  | { kind: "signed-out" };

/** The server did not accept what was entered; `errors` say which field and why. */
export class AuthRefused extends Error {
  override readonly name = "AuthRefused";

  constructor(
    readonly status: number,
    readonly errors: readonly FieldError[],
  ) {
    super(errors[0]?.message ?? `HTTP ${String(status)}`);
  }
}

interface AuthBody {
  status?: number;
  data?: { user?: AuthUser; flows?: { id: string; is_pending?: boolean; types?: string[] }[] };
  errors?: FieldError[];
}

export interface SignUp {
  email: string;
  password: string;
  country: string;
  terms_accepted: boolean;
}

export function authState(status: number, body: AuthBody): AuthState {
  const user = body.data?.user;
  if (status === 200 && user) return { kind: "signed-in", user };
  const pending = body.data?.flows?.find((flow) => flow.is_pending);
  if (pending?.id === "verify_email" || pending?.id === "mfa_authenticate") return { kind: "pending", flow: pending.id, ...(pending.types ? { factors: pending.types } : {}) };
  return { kind: "signed-out" };
}

async function call(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<AuthState> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(BASE + path, { method, headers, credentials: "same-origin", ...(body ? { body: JSON.stringify(body) } : {}) });
  } catch (error) {
    throw new NoAnswer(error instanceof Error ? error.message : "network failure");
  }
  const parsed = (await response.json().catch(() => ({}))) as AuthBody;
  if ([200, 401, 410].includes(response.status)) return authState(response.status, parsed);
  if (response.status >= 500) throw new NoAnswer(`HTTP ${String(response.status)}`);
  throw new AuthRefused(response.status, parsed.errors ?? []);
}

/** Read the session; the first call also fetches the configuration, which sets the CSRF cookie. */
export async function sessionRead(): Promise<AuthState> {
  if (csrfToken() === "") await call("GET", "/config");
  return call("GET", "/auth/session");
}

export function logIn(email: string, password: string): Promise<AuthState> {
  return call("POST", "/auth/login", { email, password });
}

export function signUp(form: SignUp): Promise<AuthState> {
  return call("POST", "/auth/signup", form);
}

export function emailVerify(key: string): Promise<AuthState> {
  return call("POST", "/auth/email/verify", { key });
}

export function emailCodeResend(): Promise<AuthState> {
  return call("POST", "/auth/email/verify/resend");
}

export function secondFactor(code: string): Promise<AuthState> {
  return call("POST", "/auth/2fa/authenticate", { code });
}

export function logOut(): Promise<AuthState> {
  return call("DELETE", "/auth/session");
}
