import { ApiProblem } from "@/api/problem";
import { authenticatorsList, ReauthNeeded, type Factor } from "@/api/security";
import { confirmed } from "../security/reauth";

/** What the server says when a log-in is too old for what is asked. */
const STALE_LOG_IN = "auth.reauthentication";

/** The ways in which this user can tell who they are. */
async function factors(): Promise<Factor[]> {
  const known = await authenticatorsList().catch(() => []);
  return [
    "password",
    ...(known.some((each) => each.type === "totp") ? ["code" as const] : []),
    ...(known.some((each) => each.type === "webauthn") ? ["passkey" as const] : []),
  ];
}

/**
 * Make a call that may want a fresh proof of who this is; it is asked for, and the call made again.
 * @throws ReauthDeclined when the proof was not given
 */
export function freshly<T>(call: () => Promise<T>): Promise<T> {
  return confirmed(async () => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof ApiProblem && error.code === STALE_LOG_IN) throw new ReauthNeeded(await factors());
      throw error;
    }
  });
}
