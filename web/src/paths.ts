/** The places of the pages. None of them is a path of the API. */
export type Place =
  | { page: "events" }
  | { page: "event"; id: string }
  | { page: "bookings" }
  | { page: "booking"; id: string }
  | { page: "log-in"; then: string }
  | { page: "register"; then: string }
  /** The organisers' pages; what `id` names there, the panel knows. */
  | { page: "panel"; id: string }
  | { page: "nothing" };

export const paths = {
  events: "/",
  event: (id: string) => `/event/${encodeURIComponent(id)}`,
  bookings: "/my-bookings",
  booking: (id: string) => `/booking/${encodeURIComponent(id)}`,
  logIn: (then: string) => `/log-in?then=${encodeURIComponent(then)}`,
  panel: (rest = "") => `/panel${rest === "" ? "" : `/${rest}`}`,
  register: (then: string) => `/register?then=${encodeURIComponent(then)}`,
};

/** Mails of earlier versions link to `/#/bookings/<id>`. */
const OLD_BOOKING = /^#\/bookings\/([0-9a-f-]{36})$/;

export function placeOf(address: { pathname: string; search: string; hash: string }): Place {
  const old = OLD_BOOKING.exec(address.hash);
  if (address.pathname === "/" && old?.[1]) return { page: "booking", id: old[1] };
  const [first = "", second] = address.pathname.replace(/^\/+|\/+$/g, "").split("/");
  const then = ownPath(new URLSearchParams(address.search).get("then"));
  if (first === "") return { page: "events" };
  if (first === "event" && second) return { page: "event", id: decode(second) };
  if (first === "booking" && second) return { page: "booking", id: decode(second) };
  if (first === "my-bookings") return { page: "bookings" };
  if (first === "log-in" || first === "register") return { page: first, then };
  if (first === "panel") return { page: "panel", id: address.pathname.replace(/^\/+panel\/*|\/+$/g, "") };
  return { page: "nothing" };
}

/** Where to go after logging in: a path of ours, never the address of another site that somebody put into a link. */
export function ownPath(wanted: string | null): string {
  return wanted !== null && /^\/(?![/\\])/.test(wanted) ? wanted : "/";
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
