import { useSignal } from "@preact/signals";
import { saleOf } from "../events/sale.ts";
import { Notice } from "../parts/notice.tsx";
import { paths } from "../paths.ts";
import { go, Link } from "../router.tsx";
import { user } from "../session/session.ts";
import { t } from "../texts/index.ts";
import type { Queue } from "./queue.ts";
import type { EventStore } from "./store.ts";

// Whoever wants more than this has a house to choose from.
const OFFERED_BELOW = 10;

export function Waitlist({ store, queue }: { store: EventStore; queue: Queue }) {
  const { waitlist } = t();
  const { value: event } = store.event;
  const { value: place } = queue.place;
  const { value: promoted } = queue.promoted;
  const available = store.known.value?.available ?? event?.available ?? 0;
  const isOpen = event !== null && ["open", "few", "sold_out"].includes(saleOf({ ...event, available }, Date.now()));
  const hasNews = place !== null || promoted !== null || queue.hasLeft.value || queue.refusal.value !== null;
  if (!hasNews && !(isOpen && available < OFFERED_BELOW)) return null;
  return (
    <section class="waitlist" aria-labelledby="waitlist-heading">
      <h2 id="waitlist-heading">{waitlist.heading}</h2>
      <div role="status">
        {promoted && (
          <p class="notice good">
            {waitlist.promoted(promoted.seats_count)} <Link to={paths.booking(promoted.id)}>{waitlist.show}</Link>
          </p>
        )}
        {queue.hasLeft.value && place === null && <p>{waitlist.left}</p>}
        {place && (
          <p>
            <strong>{waitlist.position(place.position)}</strong> {waitlist.waitingFor(place.requested_seats)}
          </p>
        )}
      </div>
      <Notice refusal={queue.refusal.value} />
      {place ? (
        <button type="button" class="button" onClick={() => void queue.leave()}>
          {waitlist.leave}
        </button>
      ) : (
        isOpen && available < OFFERED_BELOW && <Join queue={queue} isSoldOut={available === 0} least={available + 1} />
      )}
    </section>
  );
}

function Join({ queue, isSoldOut, least }: { queue: Queue; isSoldOut: boolean; least: number }) {
  const { waitlist } = t();
  const wanted = useSignal(Math.max(2, least));
  const numbers = Array.from({ length: 11 - least }, (_, at) => least + at);
  const count = Math.max(wanted.value, least);
  return (
    <form
      class="stacked"
      onSubmit={(event) => {
        event.preventDefault();
        if (user.value === null) go(paths.logIn(location.pathname));
        else void queue.join(count);
      }}
    >
      <p class="quiet">{isSoldOut ? waitlist.soldOut : waitlist.offer}</p>
      <div class="field">
        <label for="waitlist-seats">{waitlist.howMany}</label>
        <select
          id="waitlist-seats"
          value={String(count)}
          onChange={(event) => {
            wanted.value = Number(event.currentTarget.value);
          }}
        >
          {numbers.map((number) => (
            <option key={number} value={String(number)}>
              {number}
            </option>
          ))}
        </select>
      </div>
      <button type="submit" class={isSoldOut ? "button main" : "button"}>
        {waitlist.join}
      </button>
    </form>
  );
}
