import { useSignal } from "@preact/signals";
import { api } from "../api/client.ts";
import { type Refusal, type Result, resultOf } from "../api/problem.ts";
import type { components } from "../api/schema.d.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown, t } from "../texts/index.ts";
import { Confirmed } from "./confirmed.tsx";
import { p } from "./texts/index.ts";

type Found = components["schemas"]["SearchedBooking"];

async function find(id: string): Promise<Result<Found | null>> {
  const query = { booking_id: id };
  const result = await resultOf(api.GET("/bookings/search", { params: { query } }));
  if (result.ok) return { ok: true, value: result.value[0] ?? null };
  // An address that is no number of a booking names none.
  return result.refusal.code === "invalid_request" ? { ok: true, value: null } : result;
}

/** A customer's booking: whose it is, its seats, and cancelling it for them. */
export function BookingPage({ id }: { id: string }) {
  const { bookings: texts } = p();
  const changes = useSignal(0);
  const isDone = useSignal(false);
  const isWorking = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  useTitle(texts.heading);
  const loaded = useLoaded(`${id} ${changes.value}`, () => find(id)).value;
  if (loaded.state === "loading") return <p class="quiet">{p().loading}</p>;
  if (loaded.state === "refused") return <Notice refusal={loaded.refusal} again={() => changes.value++} />;
  const booking = loaded.value;
  if (booking === null) {
    return (
      <>
        <h1>{t().nothing.sorry}</h1>
        <p class="notice">{texts.notFound}</p>
        <Link to={paths.panel("bookings")}>{texts.back}</Link>
      </>
    );
  }
  const cancel = async () => {
    if (isWorking.value) return;
    isWorking.value = true;
    const path = { booking_id: booking.id };
    const result = await resultOf(api.DELETE("/bookings/{booking_id}", { params: { path } }));
    isWorking.value = false;
    refusal.value = result.ok ? null : result.refusal;
    isDone.value = result.ok;
    if (result.ok) changes.value++;
  };
  const name = booking.customer.name ?? texts.gone;
  return (
    <article class="customer-booking">
      <p class="back">
        <Link to={paths.panel("bookings")}>{texts.back}</Link>
      </p>
      <h1>{name}</h1>
      <p class="quiet">{booking.customer.email}</p>
      <p role="status" class={isDone.value ? "notice good" : "unseen"}>
        {isDone.value ? texts.done : ""}
      </p>
      <div class="card">
        <ul class="labels large">
          {booking.seat_numbers.map((seat) => (
            <li key={seat}>{seat}</li>
          ))}
        </ul>
        <Facts booking={booking} />
      </div>
      <Notice refusal={refusal.value} />
      {booking.status === "active" && (
        <Confirmed
          label={texts.cancel}
          question={texts.sure(name, booking.seats_count)}
          yes={texts.yes}
          no={texts.no}
          isWorking={isWorking.value}
          act={() => void cancel()}
        />
      )}
    </article>
  );
}

function Facts({ booking }: { booking: Found }) {
  const { bookings: texts } = p();
  const moment = (instant: string) => shown(instant, { dateStyle: "long", timeStyle: "medium" });
  return (
    <dl class="pairs">
      <dt>{texts.event}</dt>
      <dd>
        <Link to={paths.panel(`event/${booking.event.id}`)}>{booking.event.name}</Link>,{" "}
        {shown(booking.event.start_time, { dateStyle: "long", timeStyle: "short" })}
      </dd>
      <dt>{texts.state}</dt>
      <dd>
        <span class={`state ${booking.status}`}>{booking.status === "active" ? texts.active : texts.cancelled}</span>
      </dd>
      <dt>{texts.made}</dt>
      <dd>{moment(booking.created_at)}</dd>
      {booking.cancelled_at && (
        <>
          <dt>{texts.cancelledAt}</dt>
          <dd>{moment(booking.cancelled_at)}</dd>
        </>
      )}
      <dt>{texts.origin}</dt>
      <dd>{texts.origins[booking.origin as keyof typeof texts.origins]}</dd>
      <dt>{texts.reference}</dt>
      <dd class="reference">{booking.id}</dd>
    </dl>
  );
}
