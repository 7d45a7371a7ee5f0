import { api, type Booking, type Event } from "../api/client.ts";
import { type Result, resultOf } from "../api/problem.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { user } from "../session/session.ts";
import { shown, t } from "../texts/index.ts";
import { eventOf } from "./event_of.ts";
import { LoggedIn } from "./logged_in.tsx";

interface BookedShow {
  booking: Booking;
  event: Event | null;
}

async function loadBookings(): Promise<Result<BookedShow[]>> {
  const result = await resultOf(api.GET("/bookings", { params: { query: { limit: 100 } } }));
  if (!result.ok) return result;
  const booked = result.value.map(async (booking) => ({ booking, event: await eventOf(booking.event_id) }));
  return { ok: true, value: await Promise.all(booked) };
}

export function BookingsPage() {
  const { bookings } = t();
  useTitle(bookings.heading);
  return (
    <section class="bookings">
      <h1>{bookings.heading}</h1>
      <LoggedIn>
        <List />
      </LoggedIn>
    </section>
  );
}

function List() {
  const { bookings } = t();
  const loaded = useLoaded(user.value?.id ?? "", loadBookings).value;
  if (loaded.state === "refused") return <Notice refusal={loaded.refusal} again={() => location.reload()} />;
  if (loaded.state === "loading") return null;
  if (loaded.value.length === 0) {
    return (
      <>
        <p class="quiet">{bookings.none}</p>
        <Link class="button" to={paths.events}>
          {bookings.look}
        </Link>
      </>
    );
  }
  return (
    <ol class="booked">
      {loaded.value.map(({ booking, event }) => (
        <li key={booking.id}>
          <Link to={paths.booking(booking.id)} class={`show ${booking.status}`}>
            <span class="what">
              <span class="name">{event?.name ?? t().booking.gone}</span>
              <span class="quiet">
                {event && shown(event.start_time, { dateStyle: "full", timeStyle: "short" })}
                {event && ` · ${event.venue}`}
              </span>
            </span>
            <span class="offer">
              {bookings.seats(booking.seats_count)} ·{" "}
              {booking.status === "active" ? bookings.active : bookings.cancelled}
            </span>
          </Link>
        </li>
      ))}
    </ol>
  );
}
