import { computed, signal } from "@preact/signals";
import { api, FROM_PAGE, guardRequests, type PageSession } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { keep, kept } from "../parts/keeping.ts";

/**
 * Who is logged in. The access token lives in this module's memory and nowhere else; what makes a new one is a cookie
 * that no script can read.
 */
const session = signal<PageSession | null>(null);
/** False until it is known whether the visitor is logged in. */
export const isKnown = signal(false);
export const user = computed(() => session.value);

// Says only that asking for a session is worth while, so that visitors without one cause no refused request.
const HAS_SESSION = "overbookr.has-session";

let renewal: Promise<boolean> | null = null;

function begin(begun: PageSession): void {
  session.value = begun;
  isKnown.value = true;
  keep(HAS_SESSION, true);
}

function forget(): void {
  session.value = null;
  isKnown.value = true;
  keep(HAS_SESSION, null);
}

/** Whether there is a new token. Requests that are refused together ask once. */
function renew(): Promise<boolean> {
  renewal ??= askForSession().finally(() => {
    renewal = null;
  });
  return renewal;
}

async function askForSession(): Promise<boolean> {
  const result = await resultOf(api.POST("/users/page/refresh", { params: { header: FROM_PAGE } }));
  if (result.ok) begin(result.value);
  // Whoever cannot be asked now may still know us later.
  else if (result.refusal.code === "invalid_refresh_token") forget();
  isKnown.value = true;
  return result.ok;
}

guardRequests({
  authorise(request) {
    if (session.value) request.headers.set("Authorization", `Bearer ${session.value.token}`);
  },
  renew: async () => (session.value ? renew() : false),
});

export async function startSession(): Promise<void> {
  if (kept<boolean>(HAS_SESSION)) await renew();
  else isKnown.value = true;
}

export async function logIn(email: string, password: string): Promise<Refusal | null> {
  const call = api.POST("/users/page/login", { params: { header: FROM_PAGE }, body: { email, password } });
  const result = await resultOf(call);
  if (!result.ok) return result.refusal;
  begin(result.value);
  return null;
}

export async function register(name: string, email: string, password: string): Promise<Refusal | null> {
  const call = api.POST("/users/page/register", { params: { header: FROM_PAGE }, body: { name, email, password } });
  const result = await resultOf(call);
  if (!result.ok) return result.refusal;
  begin(result.value);
  return null;
}

export async function logOut(): Promise<void> {
  await resultOf(api.POST("/users/page/logout", { params: { header: FROM_PAGE } }));
  forget();
}

// A visitor who logs out in one tab has logged out in all of them.
addEventListener("storage", (change) => {
  if (change.key === HAS_SESSION && change.newValue === null) forget();
});
