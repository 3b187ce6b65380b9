/** What a logged-in user changes about the own log-in, over allauth's headless API. */

import { AuthRefused, authState, type AuthState, type FieldError } from "./auth";
import { csrfToken } from "./client";
import { NoAnswer } from "./problem";

const BASE = "/_allauth/browser/v1";

export type Json = Record<string, unknown>;
export type Factor = "password" | "code" | "passkey";

/** The server wants to know once more who this is; `factors` are the ways to tell it. */
export class ReauthNeeded extends Error {
  override readonly name = "ReauthNeeded";

  constructor(readonly factors: readonly Factor[]) {
    super("reauthentication is needed");
  }
}

export interface Session {
  id: number;
  user_agent: string;
  ip: string;
  created_at: number;
  last_seen_at?: number;
  is_current: boolean;
}

export interface EmailAddress {
  email: string;
  verified: boolean;
  primary: boolean;
}

export interface Authenticator {
  type: "totp" | "recovery_codes" | "webauthn";
  created_at: number;
  last_used_at: number | null;
  id?: number;
  name?: string;
  is_passwordless?: boolean;
  total_code_count?: number;
  unused_code_count?: number;
  unused_codes?: string[];
}

interface Flow {
  id: string;
  types?: string[];
}

interface Body {
  data?: unknown;
  meta?: { is_authenticated?: boolean; secret?: string; totp_url?: string; recovery_codes_generated?: boolean };
  errors?: FieldError[];
}

interface Answer {
  status: number;
  body: Body;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

function factorsOf(body: Body): Factor[] {
  const flows = (body.data as { flows?: Flow[] } | undefined)?.flows ?? [];
  const types = flows.find((flow) => flow.id === "mfa_reauthenticate")?.types ?? [];
  return [
    ...(flows.some((flow) => flow.id === "reauthenticate") ? ["password" as const] : []),
    ...(types.some((type) => type === "totp" || type === "recovery_codes") ? ["code" as const] : []),
    ...(types.includes("webauthn") ? ["passkey" as const] : []),
  ];
}

/**
 * Ask, and take the named statuses for answers.
 * @throws ReauthNeeded when the password is wanted again
 * @throws AuthRefused when what was entered is not taken, or the session is over (401)
 * @throws NoAnswer when there was none
 */
async function ask(method: Method, path: string, body?: Json, taken: readonly number[] = [200]): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(BASE + path, { method, headers, credentials: "same-origin", ...(body ? { body: JSON.stringify(body) } : {}) });
  } catch (error) {
    throw new NoAnswer(error instanceof Error ? error.message : "network failure");
  }
  const parsed = (await response.json().catch(() => ({}))) as Body;
  if (taken.includes(response.status)) return { status: response.status, body: parsed };
  if (response.status === 401 && parsed.meta?.is_authenticated === true) throw new ReauthNeeded(factorsOf(parsed));
  if (response.status >= 500) throw new NoAnswer(`HTTP ${String(response.status)}`);
  if (response.status === 429) throw new AuthRefused(429, [{ code: "rate_limited", message: "too many attempts" }]);
  throw new AuthRefused(response.status, parsed.errors ?? []);
}

async function data<T>(method: Method, path: string, body?: Json): Promise<T> {
  return (await ask(method, path, body)).body.data as T;
}

// --- who this is ------------------------------------------------------------------------------------
export async function reauthByPassword(password: string): Promise<void> {
  await ask("POST", "/auth/reauthenticate", { password });
}

export async function reauthByCode(code: string): Promise<void> {
  await ask("POST", "/auth/2fa/reauthenticate", { code });
}

const optionsAt = async (path: string): Promise<Json> => (await data<{ request_options: Json }>("GET", path)).request_options;

export const reauthOptions = (): Promise<Json> => optionsAt("/auth/webauthn/reauthenticate");

export async function reauthByPasskey(credential: Json): Promise<void> {
  await ask("POST", "/auth/webauthn/reauthenticate", { credential });
}

/** The options of a log-in by passkey alone, or as second step of one that has begun. */
export const logInOptions = (second: boolean): Promise<Json> => optionsAt(second ? "/auth/webauthn/authenticate" : "/auth/webauthn/login");

export async function logInByPasskey(credential: Json, second: boolean): Promise<AuthState> {
  const { status, body } = await ask("POST", second ? "/auth/webauthn/authenticate" : "/auth/webauthn/login", { credential }, [200, 401]);
  return authState(status, body as Parameters<typeof authState>[1]);
}

// --- sessions ---------------------------------------------------------------------------------------
export const sessionsList = (): Promise<Session[]> => data("GET", "/auth/sessions");
export const sessionsEnd = (ids: readonly number[]): Promise<Session[]> => data("DELETE", "/auth/sessions", { sessions: ids });

// --- password and address ----------------------------------------------------------------------------
export async function passwordChange(current: string, next: string): Promise<void> {
  await ask("POST", "/account/password/change", { current_password: current, new_password: next });
}

export const emailsList = (): Promise<EmailAddress[]> => data("GET", "/account/email");
export const emailChange = (email: string): Promise<EmailAddress[]> => data("POST", "/account/email", { email });
export const emailDrop = (email: string): Promise<EmailAddress[]> => data("DELETE", "/account/email", { email });

/** Send another code; false when it is too early, or there were too many. */
export async function emailResend(email: string): Promise<boolean> {
  return (await ask("PUT", "/account/email", { email }, [200, 403])).status === 200;
}

export async function emailConfirm(key: string): Promise<void> {
  await ask("POST", "/auth/email/verify", { key });
}

// --- second factors ----------------------------------------------------------------------------------
export const authenticatorsList = (): Promise<Authenticator[]> => data("GET", "/account/authenticators");

/** The secret of an authenticator app that is being set up. */
export async function totpBegin(): Promise<{ secret: string; url: string }> {
  const { body } = await ask("GET", "/account/authenticators/totp", undefined, [404]);
  return { secret: body.meta?.secret ?? "", url: body.meta?.totp_url ?? "" };
}

export async function totpActivate(code: string): Promise<void> {
  await ask("POST", "/account/authenticators/totp", { code });
}

export async function totpEnd(): Promise<void> {
  await ask("DELETE", "/account/authenticators/totp");
}

/** The codes that are left, as long as they may be seen; none when they were shown before, or there are none. */
export async function codesRead(): Promise<string[]> {
  const { body } = await ask("GET", "/account/authenticators/recovery-codes", undefined, [200, 404]);
  return (body.data as Authenticator | undefined)?.unused_codes ?? [];
}

export async function codesRenew(): Promise<string[]> {
  return (await data<Authenticator>("POST", "/account/authenticators/recovery-codes", {})).unused_codes ?? [];
}

export async function passkeyOptions(): Promise<Json> {
  return (await data<{ creation_options: Json }>("GET", "/account/authenticators/webauthn?passwordless")).creation_options;
}

/** Keep a new passkey; true when recovery codes were made with it, which are to be shown. */
export async function passkeyAdd(name: string, credential: Json): Promise<boolean> {
  const { body } = await ask("POST", "/account/authenticators/webauthn", { name, credential });
  return body.meta?.recovery_codes_generated === true;
}

export async function passkeyRename(id: number, name: string): Promise<void> {
  await ask("PUT", "/account/authenticators/webauthn", { id, name });
}

export async function passkeyRemove(id: number): Promise<void> {
  await ask("DELETE", "/account/authenticators/webauthn", { authenticators: [id] });
}
