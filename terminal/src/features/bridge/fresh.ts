import { ApiProblem } from "@/api/problem";
import { authenticatorsList, ReauthNeeded, type Authenticator, type Factor } from "@/api/security";
import { confirmed } from "../security/reauth";

/** What the server says when a log-in is too old for what is asked. */
const STALE_LOG_IN = "auth.reauthentication";

/** The ways in which this user can tell who they are: a second factor where there is one, else the password. */
async function factors(): Promise<Factor[]> {
  let known: Authenticator[];
  try {
    known = await authenticatorsList();
  } catch {
    return ["password", "code", "passkey"];
  }
  const second = [...(known.some((each) => each.type !== "webauthn") ? ["code" as const] : []), ...(known.some((each) => each.type === "webauthn") ? ["passkey" as const] : [])];
  return second.length > 0 ? second : ["password"];
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
