import type { components } from "./schema.d.ts";

type Problem = components["schemas"]["Problem"];
export type Code = Problem["code"] | "unreachable";

/** A refusal as the pages handle it: a stable code, and what the code brings along. */
export interface Refusal {
  code: Code;
  /** The server's own words, for codes that there is no better text for. */
  detail: string;
  conflicts: { seat_no: string; status: string }[];
  errors: { path: string; message: string }[];
  retryAfter: number | null;
  /** Where what was asked for is already. */
  location: string | null;
}

export function refusalOf(error: unknown, answer?: Response): Refusal {
  const problem = (typeof error === "object" && error !== null ? error : {}) as Partial<Problem>;
  const retryAfter = answer?.headers.get("Retry-After") ?? null;
  return {
    code: answer === undefined ? "unreachable" : (problem.code ?? "internal_error"),
    detail: problem.detail ?? "",
    conflicts: (problem["conflicts"] as Refusal["conflicts"] | undefined) ?? [],
    errors: problem.errors ?? [],
    retryAfter: retryAfter === null ? null : Number(retryAfter),
    location: answer?.headers.get("Location") ?? null,
  };
}

export type Result<Value> = { ok: true; value: Value } | { ok: false; refusal: Refusal };

/** What a call of the client came to, as a value; a server that cannot be reached is a refusal like any other. */
export async function resultOf<Value>(
  call: Promise<{ data?: Value; error?: unknown; response: Response }>,
): Promise<Result<Value>> {
  try {
    const { data, error, response } = await call;
    if (response.ok) return { ok: true, value: data as Value };
    return { ok: false, refusal: refusalOf(error, response) };
  } catch {
    return { ok: false, refusal: refusalOf(null) };
  }
}
