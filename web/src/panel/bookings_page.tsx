import { useSignal } from "@preact/signals";
import type { TargetedSubmitEvent } from "preact";
import { useEffect } from "preact/hooks";
import { api } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import type { components } from "../api/schema.d.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown } from "../texts/index.ts";
import { type Sought, soughtBy } from "./search.ts";
import { p } from "./texts/index.ts";

type Found = components["schemas"]["SearchedBooking"];

const PAGE = 25;
const EVENTS_MAX = 100;
const SEATS_SHOWN_MAX = 6;

/** Everybody's bookings, found by reference, e-mail, seat and event. */
export function BookingsPage() {
  const { bookings: texts, more } = p();
  const given = new URLSearchParams(location.search);
  const words = useSignal(given.get("q") ?? "");
  const eventId = useSignal(given.get("event") ?? "");
  const sought = useSignal<Sought>(soughtBy(words.peek(), eventId.peek()) ?? {});
  const found = useSignal<Found[] | null>(null);
  const isMore = useSignal(false);
  const needsEvent = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  useTitle(texts.heading);

  const ask = async (what: Sought, before: string | null) => {
    const query = { ...what, limit: PAGE, ...(before === null ? {} : { before }) };
    const call = api.GET("/bookings/search", { params: { query } });
    const [result, answer] = await Promise.all([resultOf(call), call.catch(() => null)]);
    // Dropped where something else is sought by now, or the same page was asked for twice.
    if (sought.peek() !== what || (before !== null && found.peek()?.at(-1)?.id !== before)) return;
    refusal.value = result.ok ? null : result.refusal;
    if (!result.ok) return;
    found.value = before === null ? result.value : [...(found.peek() ?? []), ...result.value];
    isMore.value = answer?.response.headers.has("Link") ?? false;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when something else is sought.
  useEffect(() => {
    void ask(sought.value, null);
  }, [sought.value]);
  const submit = (submission: TargetedSubmitEvent<HTMLFormElement>) => {
    submission.preventDefault();
    const next = soughtBy(words.value, eventId.value);
    needsEvent.value = next === null;
    if (next === null) return;
    const address = new URLSearchParams({
      ...(words.value.trim() && { q: words.value.trim() }),
      ...(eventId.value && { event: eventId.value }),
    });
    // So that whoever comes back from a booking finds what they had found.
    history.replaceState(null, "", `${paths.panel("bookings")}${address.size > 0 ? `?${address}` : ""}`);
    sought.value = next;
  };
  return (
    <section>
      <h1>{texts.heading}</h1>
      <search>
        <form class="find" onSubmit={submit}>
          <div class="field">
            <label for="words">{texts.search}</label>
            <input
              id="words"
              type="search"
              value={words.value}
              aria-describedby="words-hint"
              onInput={({ currentTarget }) => {
                words.value = currentTarget.value;
              }}
            />
          </div>
          <Events
            eventId={eventId.value}
            choose={(id) => {
              eventId.value = id;
            }}
          />
          <button type="submit" class="button main">
            {texts.find}
          </button>
          <p id="words-hint" class="hint">
            {texts.searchHint}
          </p>
        </form>
      </search>
      <div role="alert">{needsEvent.value && <p class="notice">{texts.needsEvent}</p>}</div>
      <Notice refusal={refusal.value} again={() => void ask(sought.peek(), null)} />
      <p role="status" class={found.value?.length === 0 ? "quiet" : "unseen"}>
        {found.value?.length === 0 ? texts.none : ""}
      </p>
      {found.value !== null && found.value.length > 0 && <Table found={found.value} />}
      {isMore.value && (
        <button type="button" class="button" onClick={() => void ask(sought.peek(), found.peek()?.at(-1)?.id ?? null)}>
          {more}
        </button>
      )}
    </section>
  );
}

function Events({ eventId, choose }: { eventId: string; choose: (id: string) => void }) {
  const { bookings: texts } = p();
  const query = { limit: EVENTS_MAX, include_past: true };
  const loaded = useLoaded("", () => resultOf(api.GET("/events", { params: { query } }))).value;
  const events = loaded.state === "here" ? loaded.value : [];
  return (
    <div class="field">
      <label for="event">{texts.event}</label>
      <select id="event" value={eventId} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        <option value="">{texts.all}</option>
        {eventId !== "" && !events.some(({ id }) => id === eventId) && <option value={eventId}>{eventId}</option>}
        {events.map(({ id, name, start_time }) => (
          <option key={id} value={id}>
            {name}, {shown(start_time, { dateStyle: "medium" })}
          </option>
        ))}
      </select>
    </div>
  );
}

function Table({ found }: { found: Found[] }) {
  const { bookings: texts } = p();
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{texts.customer}</th>
          <th scope="col">{texts.event}</th>
          <th scope="col">{texts.seats}</th>
          <th scope="col">{texts.made}</th>
          <th scope="col">{texts.state}</th>
        </tr>
      </thead>
      <tbody>
        {found.map((booking) => (
          <tr key={booking.id}>
            <th scope="row">
              <Link to={paths.panel(`booking/${booking.id}`)}>{booking.customer.name ?? texts.gone}</Link>
              <span class="quiet">{booking.customer.email}</span>
            </th>
            <td data-label={texts.event} class="name">
              {booking.event.name}
            </td>
            <td data-label={texts.seats}>
              {booking.seat_numbers.slice(0, SEATS_SHOWN_MAX).join(", ")}{" "}
              {booking.seats_count > SEATS_SHOWN_MAX && (
                <span class="quiet">{texts.andMore(booking.seats_count - SEATS_SHOWN_MAX)}</span>
              )}
            </td>
            <td data-label={texts.made}>
              <time dateTime={booking.created_at}>
                {shown(booking.created_at, { dateStyle: "medium", timeStyle: "short" })}
              </time>
            </td>
            <td data-label={texts.state}>
              <span class={`state ${booking.status}`}>
                {booking.status === "active" ? texts.active : texts.cancelled}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
