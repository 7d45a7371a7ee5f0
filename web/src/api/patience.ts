/**
 * Asking again when the server is full or away.
 *
 * Only what may be repeated is: reads, and what carries a key by which the server knows it again.
 */

export const TRIES_MAX = 6;
const PAUSE_SECONDS = 0.4;
const PAUSE_SECONDS_MAX = 6;

export function isRepeatable(request: { method: string; headers: Headers }): boolean {
  return request.method === "GET" || request.method === "DELETE" || request.headers.has("Idempotency-Key");
}

/** Seconds to wait before the next try, or null when there is none. `status` 0: there was no answer. */
export function pauseAfter(tries: number, status: number, retryAfter: string | null, chance: number): number | null {
  const isAway = status === 0 || status === 502 || status === 503 || status === 504 || status === 429;
  if (!isAway || tries >= TRIES_MAX) return null;
  const told = Number(retryAfter);
  // Somebody who is told to come back in a minute is better told so than left waiting.
  if (retryAfter !== null && told > PAUSE_SECONDS_MAX) return null;
  const own = Math.min(PAUSE_SECONDS * 2 ** (tries - 1), PAUSE_SECONDS_MAX);
  // Whoever was refused together does not come back together.
  return Math.max(told || 0, own) * (0.75 + 0.5 * chance);
}

export async function patiently(request: Request, ask: (request: Request) => Promise<Response>): Promise<Response> {
  const repeatable = isRepeatable(request);
  for (let tries = 1; ; tries++) {
    let answer: Response | null = null;
    let failure: unknown;
    try {
      answer = await ask(repeatable ? request.clone() : request);
    } catch (error) {
      if (request.signal.aborted) throw error;
      failure = error;
    }
    const pause = pauseAfter(tries, answer?.status ?? 0, answer?.headers.get("Retry-After") ?? null, Math.random());
    if (!repeatable || pause === null) {
      if (answer === null) throw failure;
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
  }
}
