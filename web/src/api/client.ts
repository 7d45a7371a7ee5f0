import createClient from "openapi-fetch";
import { patiently } from "./patience.ts";
import type { components, paths } from "./schema.d.ts";
import { observe } from "./server_clock.ts";

export type Event = components["schemas"]["Event"];
export type Booking = components["schemas"]["Booking"];
export type Hold = components["schemas"]["HoldAnswer"];
export type PageSession = components["schemas"]["PageSession"];
export type Place = components["schemas"]["WaitlistEntry"];

/** What the session does to a request: add its token, and get a new one when it is refused. */
export interface Guard {
  authorise(request: Request): void;
  renew(): Promise<boolean>;
}

let guard: Guard | null = null;

export function guardRequests(by: Guard): void {
  guard = by;
}

async function send(request: Request): Promise<Response> {
  const again = request.clone();
  guard?.authorise(request);
  const answer = await patiently(request, observed);
  const makesSession = /^\/users\/page\/(?:login|register|refresh)$/.test(new URL(request.url).pathname);
  if (answer.status !== 401 || makesSession || !(await guard?.renew())) return answer;
  guard?.authorise(again);
  return patiently(again, observed);
}

async function observed(request: Request): Promise<Response> {
  const sentAt = performance.now();
  const answer = await fetch(request);
  observe(answer.headers.get("Date"), sentAt, performance.now());
  return answer;
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send });
export type Api = typeof api;

/** The API of a server that may be elsewhere, without a session of these pages. */
export function apiAt(origin: string): Api {
  return createClient<paths>({ baseUrl: origin, fetch: (request) => patiently(request, observed) });
}

/** What every request of the pages about sessions carries; no other site can send it. */
export const FROM_PAGE = { "Overbookr-Page": "1" } as const;
