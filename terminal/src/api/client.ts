import createClient, { type Middleware } from "openapi-fetch";
import { NoAnswer, problemFrom } from "./problem";
import type { paths } from "./schema";

/** The CSRF token that Django keeps in a readable cookie; it changes at log-in, so it is read each time. */
export function csrfToken(cookies: string = document.cookie): string {
  const found = cookies.split("; ").find((each) => each.startsWith("csrftoken="));
  return found ? decodeURIComponent(found.slice("csrftoken=".length)) : "";
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

const csrf: Middleware = {
  onRequest({ request }) {
    if (!SAFE.has(request.method)) request.headers.set("X-CSRFToken", csrfToken());
    return request;
  },
};

const lostConnection: Middleware = {
  onError({ error }) {
    return new NoAnswer(error instanceof Error ? error.message : "network failure");
  },
};

let unauthorized: () => void = () => undefined;

/** Name what happens when the server no longer knows the session. */
export function whenUnauthorized(react: () => void): void {
  unauthorized = react;
}

const lostSession: Middleware = {
  onResponse({ response }) {
    if (response.status === 401) unauthorized();
  },
};

export const http = createClient<paths>({
  baseUrl: location.origin,
  credentials: "same-origin",
  fetch: (request) => fetch(request),
});
http.use(csrf, lostConnection, lostSession);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * Unwrap an answer of the client.
 * @throws ApiProblem when the server refused
 * @throws NoAnswer when there was none, or a proxy answered for a server that is down
 */
export async function unwrap<T>(pending: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await pending;
  if (response.ok && data !== undefined) return data;
  const problem = problemFrom(error, response);
  if ([502, 503, 504].includes(response.status) && problem.code.startsWith("http.")) throw new NoAnswer(problem.message);
  throw problem;
}
