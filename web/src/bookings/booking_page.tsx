import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Booking, type Event } from "../api/client.ts";
import { type Refusal, type Result, resultOf } from "../api/problem.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { isKnown, user } from "../session/session.ts";
import { shown, t } from "../texts/index.ts";
import { eventOf } from "./event_of.ts";
import { LoggedIn } from "./logged_in.tsx";

export function BookingPage({ id }: { id: string }) {
  useTitle(t().booking.heading);
  return (
    <section class="booking">
      {isKnown.value && user.value === null && <h1>{t().booking.heading}</h1>}
      <LoggedIn>
        <Booked id={id} />
      </LoggedIn>
    </section>
  );
}

async function loadBooking(id: string): Promise<Result<{ booking: Booking; event: Event | null }>> {
  const path = { booking_id: id };
  const result = await resultOf(api.GET("/bookings/{booking_id}", { params: { path } }));
  if (!result.ok) return result;
  return { ok: true, value: { booking: result.value, event: await eventOf(result.value.event_id) } };
}

function Booked({ id }: { id: string }) {
  const { booking: texts, bookings } = t();
  const changes = useSignal(0);
  const loaded = useLoaded(`${id} ${changes.value}`, () => loadBooking(id)).value;
  if (loaded.state === "loading") return null;
  if (loaded.state === "refused") {
    // A path that is no number of a booking names none.
    const code = loaded.refusal.code === "not_found" ? "booking_not_found" : loaded.refusal.code;
    return (
      <>
        <h1>{t().nothing.sorry}</h1>
        <Notice refusal={{ ...loaded.refusal, code }} />
      </>
    );
  }
  const { booking, event } = loaded.value;
  const isActive = booking.status === "active";
  return (
    <article class="ticket">
      <header class="billing">
        <p role="status" class="when">
          {isActive && location.search === "?new" ? texts.thanks : ""}
          {!isActive && texts.cancelled}
        </p>
        <h1>{event?.name ?? texts.gone}</h1>
        {event && (
          <p class="where">
            <time dateTime={event.start_time}>
              {shown(event.start_time, { dateStyle: "full", timeStyle: "short" })}
            </time>
            <br />
            {event.venue}
          </p>
        )}
      </header>
      <div class="stub">
        <ul class="seats" aria-label={bookings.seats(booking.seats_count)}>
          {booking.seat_numbers.map((seat) => (
            <li key={seat}>{seat}</li>
          ))}
        </ul>
        {isActive && <Code id={booking.id} />}
        <dl class="facts">
          <dt>{texts.number}</dt>
          <dd>{booking.id}</dd>
          <dt>{isActive ? bookings.active : bookings.cancelled}</dt>
          <dd>{shown(booking.updated_at, { dateStyle: "long", timeStyle: "short" })}</dd>
        </dl>
      </div>
      <footer class="act">
        {event && <Link to={paths.event(event.id)}>{texts.toEvent}</Link>}
        {isActive && (
          <button type="button" class="button" onClick={() => print()}>
            {texts.print}
          </button>
        )}
        {isActive && <Cancel id={booking.id} done={() => changes.value++} />}
      </footer>
    </article>
  );
}

function Code({ id }: { id: string }) {
  const { booking: texts } = t();
  const address = useSignal<string | null>(null);
  useEffect(() => {
    let made: string | null = null;
    let isWanted = true;
    const path = { booking_id: id };
    const call = api.GET("/bookings/{booking_id}/ticket", { params: { path }, parseAs: "text" });
    void resultOf(call as never as Promise<{ data?: string; response: Response }>).then((result) => {
      if (!result.ok || !isWanted) return;
      made = URL.createObjectURL(new Blob([result.value], { type: "image/svg+xml" }));
      address.value = made;
    });
    return () => {
      isWanted = false;
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [id, address]);
  return (
    <figure class="code">
      {address.value && <img src={address.value} alt={texts.code} width="220" height="220" />}
      <figcaption class="hint">{texts.ticketText}</figcaption>
    </figure>
  );
}

function Cancel({ id, done }: { id: string; done: () => void }) {
  const { booking: texts } = t();
  const isAsked = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const cancel = async () => {
    const result = await resultOf(api.DELETE("/bookings/{booking_id}", { params: { path: { booking_id: id } } }));
    isAsked.value = false;
    refusal.value = result.ok ? null : result.refusal;
    if (result.ok) done();
  };
  if (!isAsked.value) {
    return (
      <>
        <button
          type="button"
          class="button"
          onClick={() => {
            isAsked.value = true;
          }}
        >
          {texts.cancel}
        </button>
        <Notice refusal={refusal.value} />
      </>
    );
  }
  return (
    <fieldset class="sure">
      <legend>{texts.cancelSure}</legend>
      <button type="button" class="button danger" onClick={() => void cancel()}>
        {texts.cancelYes}
      </button>
      <button
        type="button"
        class="button"
        onClick={() => {
          isAsked.value = false;
        }}
      >
        {texts.cancelNo}
      </button>
    </fieldset>
  );
}
