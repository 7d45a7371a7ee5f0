import { useEffect, useMemo } from "preact/hooks";
import { offerOf } from "../events/offer.ts";
import { Notice, Said } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown, t } from "../texts/index.ts";
import { Basket } from "./basket.tsx";
import { Legend } from "./legend.tsx";
import { MapView } from "./map_view.tsx";
import { Purchase } from "./purchase.ts";
import { Queue } from "./queue.ts";
import { SeatList } from "./seat_list.tsx";
import { EventStore } from "./store.ts";
import { Waitlist } from "./waitlist.tsx";

export function EventPage({ id }: { id: string }) {
  const texts = t().event;
  const { store, purchase, queue } = useMemo(() => {
    const store = new EventStore(id);
    return { store, purchase: new Purchase(store), queue: new Queue(store) };
  }, [id]);
  useEffect(() => {
    void store.start();
    return () => {
      store.stop();
      purchase.stop();
      queue.stop();
    };
  }, [store, purchase, queue]);
  const { value: event } = store.event;
  const { value: hall } = store.hall;
  useTitle(event?.name ?? "");

  if (store.refusal.value !== null) {
    return (
      <section class="narrow">
        <h1>{t().nothing.sorry}</h1>
        <Notice refusal={store.refusal.value} again={() => location.reload()} />
        <Link to={paths.events}>{texts.back}</Link>
      </section>
    );
  }
  if (event === null) return <p class="quiet centred">{texts.loading}</p>;
  const offer = offerOf({ ...event, available: store.known.value?.available ?? event.available });
  return (
    <article class="event">
      <header class="billing">
        <p class="when">
          <time dateTime={event.start_time}>
            {shown(event.start_time, { weekday: "long", day: "numeric", month: "long", year: "numeric" })}
            {" · "}
            {shown(event.start_time, { hour: "2-digit", minute: "2-digit" })}
          </time>
        </p>
        <h1>{event.name}</h1>
        <p class="where">
          {event.venue} <span class={`offer ${offer.kind}`}>{offer.text(t().events)}</span>
        </p>
      </header>
      <div class="house">
        {hall === null ? <p class="quiet centred">{texts.loading}</p> : <MapView store={store} hall={hall} />}
        <Legend store={store} />
      </div>
      <aside class="side">
        <Basket store={store} purchase={purchase} />
        <Waitlist store={store} queue={queue} />
      </aside>
      {hall !== null && <SeatList store={store} hall={hall} />}
      <Said>{store.said.value}</Said>
    </article>
  );
}
