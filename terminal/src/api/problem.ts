import type { ProblemBody } from "./schema";

/** The server refused, and said why in a problem document. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";

  constructor(
    readonly body: ProblemBody,
    readonly retryAfterS: number | null = null,
  ) {
    super(body.title);
  }

  get code(): string {
    return this.body.code;
  }

  get status(): number {
    return this.body.status;
  }
}

/** No answer came: the request may or may not have reached the server. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown, fallback: string): string {
  return typeof value === "string" && value !== "" ? value : fallback;
}

/** Read a problem document, filling in what a proxy's error page lacks. */
export function problemFrom(body: unknown, response: Response): ApiProblem {
  const source = isRecord(body) ? body : {};
  const status = response.status;
  const errors = Array.isArray(source["errors"]) ? source["errors"].filter(isRecord) : [];
  const problem: ProblemBody = {
    type: text(source["type"], "about:blank"),
    title: text(source["title"], response.statusText || `HTTP ${String(status)}`),
    status,
    detail: text(source["detail"], ""),
    code: text(source["code"], `http.${String(status)}`),
    request_id: text(source["request_id"], response.headers.get("X-Request-ID") ?? ""),
    retryable: source["retryable"] === true,
    errors: errors.map((each) => ({
      field: text(each["field"], ""),
      code: text(each["code"], ""),
      message: text(each["message"], ""),
    })),
  };
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new ApiProblem(problem, Number.isFinite(retryAfter) ? retryAfter : null);
}
