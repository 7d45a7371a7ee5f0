import type { Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Event } from "../api/client.ts";
import { Legend } from "../event/legend.tsx";
import { MapView } from "../event/map_view.tsx";
import { EventStore } from "../event/store.ts";
import { AVAILABLE, BLOCKED, BOOKED, HELD } from "../map/availability.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown, t } from "../texts/index.ts";
import { type LastHour, LiveSales } from "./live_sales.ts";
import { type Counts, sumOf } from "./minutes.ts";
import { Series } from "./series.tsx";
import { Bar } from "./share.tsx";
import { p, percent } from "./texts/index.ts";

/** An event as it sells: what its seats are now, and what became of them in the last hour. */
export function LivePage({ event }: { event: Signal<Event> }) {
  const { event: texts, live } = p();
  const { id } = event.value;
  const store = useMemo(() => new EventStore(id, { may: () => false, isKept: false }), [id]);
  const sales = useMemo(() => new LiveSales(id), [id]);
  useEffect(() => {
    void store.start();
    sales.start();
    return () => {
      store.stop();
      sales.stop();
    };
  }, [store, sales]);
  const { value: hall } = store.hall;
  const { value: hour } = sales.hour;
  if (event.value.seats_count === 0 && (store.known.value?.statuses.length ?? 0) === 0) {
    return (
      <div class="empty">
        <p>{texts.noSeats}</p>
        <Link class="button main" to={paths.panel(`event/${id}/plan`)}>
          {texts.importPlan}
        </Link>
      </div>
    );
  }
  return (
    <section class="live" aria-label={live.heading}>
      <Figures event={event.value} store={store} />
      <div class="live-charts">
        {hour !== null && <PerMinute hour={hour} />}
        {hour !== null && <Funnel hour={hour} />}
      </div>
      <div class="house">
        {hall === null ? <p class="quiet">{t().event.loading}</p> : <MapView store={store} hall={hall} />}
        <Legend store={store} states={["held", "sold", "blocked"]} />
      </div>
    </section>
  );
}

/** From the same stream as the map, so that both say the same at every moment. */
function Figures({ event, store }: { event: Event; store: EventStore }) {
  const { live, number } = p();
  const { value: known } = store.known;
  const counts = [0, 0, 0, 0];
  for (const status of known?.statuses ?? []) counts[status] = (counts[status] ?? 0) + 1;
  const of = (status: number) => counts[status] ?? 0;
  const blocked = of(BLOCKED);
  const sold = known === null ? event.booked_count : of(BOOKED);
  const held = known === null ? event.held_count : of(HELD);
  // What can be sold may be less than what is free: an event can have a cap.
  const free = known?.available ?? event.available;
  const least = known === null ? free : Math.min(free, of(AVAILABLE));
  const figures = [
    {
      name: live.sold,
      figure: sold,
      beside: `${live.of(event.capacity)}, ${percent(sold, event.capacity)}`,
      bar: true,
    },
    { name: live.held, figure: held, beside: "" },
    { name: live.free, figure: least, beside: blocked > 0 ? live.blocked(blocked) : "" },
    { name: live.waiting, figure: event.waiting_count, beside: "" },
  ];
  return (
    <dl class="figures">
      {figures.map(({ name, figure, beside, bar }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <span class="figure-large">{number(figure)}</span> <span class="quiet">{beside}</span>
            {bar && <Bar part={sold} whole={event.capacity} />}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function time(at: number): string {
  return shown(new Date(at).toISOString(), { hour: "2-digit", minute: "2-digit" });
}

function spanOf({ since }: LastHour): string {
  const { live } = p();
  return since === null ? live.lastHour : live.since(time(since));
}

function PerMinute({ hour }: { hour: LastHour }) {
  const { live, number } = p();
  const { minutes } = hour;
  const sold = minutes.map(({ counts }) => counts.booked + counts.promoted);
  const told = minutes.filter(({ counts }) => counts.held + counts.booked + counts.promoted > 0).reverse();
  return (
    <section class="card">
      <header>
        <h2>{live.perMinute}</h2>
        <p class="quiet">
          {spanOf(hour)} · {live.now(sold.at(-1) ?? 0)}
        </p>
      </header>
      <Series
        at={minutes.map(({ at }) => at / 1000)}
        by="minute"
        label={`${live.perMinute}. ${live.now(sold.at(-1) ?? 0)}`}
        lines={[
          { name: live.soldSeries, values: sold, form: "bars" },
          { name: live.heldSeries, values: minutes.map(({ counts }) => counts.held), form: "line" },
        ]}
      />
      <details>
        <summary>{live.table}</summary>
        {told.length === 0 ? (
          <p class="quiet">{live.quiet}</p>
        ) : (
          <table class="list small">
            <thead>
              <tr>
                <th scope="col">{live.minute}</th>
                <th scope="col" class="figure">
                  {live.soldSeries}
                </th>
                <th scope="col" class="figure">
                  {live.heldSeries}
                </th>
              </tr>
            </thead>
            <tbody>
              {told.map(({ at, counts }) => (
                <tr key={at}>
                  <th scope="row">{time(at)}</th>
                  <td class="figure">{number(counts.booked + counts.promoted)}</td>
                  <td class="figure">{number(counts.held)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </details>
    </section>
  );
}

/** What became of the seats that were held in the last hour. */
function Funnel({ hour }: { hour: LastHour }) {
  const { live, number } = p();
  const sum: Counts = sumOf(hour.minutes);
  const rows = [
    { name: live.funnelHeld, count: sum.held, kind: "" },
    { name: live.funnelBooked, count: sum.booked, kind: "" },
    { name: live.funnelReturned, count: sum.returned, kind: "pale" },
  ];
  const most = Math.max(sum.held, sum.booked, sum.returned, 1);
  return (
    <section class="card">
      <header>
        <h2>{live.funnel}</h2>
        <p class="quiet">{spanOf(hour)}</p>
      </header>
      <table class="bars">
        <tbody>
          {rows.map(({ name, count, kind }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="figure">{number(count)}</td>
              <td class="bar-cell">
                <Bar part={count} whole={most} kind={kind} />
              </td>
            </tr>
          ))}
          <tr>
            <th scope="row">{live.promoted}</th>
            <td class="figure">{number(sum.promoted)}</td>
            <td />
          </tr>
          <tr>
            <th scope="row">{live.cancelled}</th>
            <td class="figure">{number(sum.cancelled)}</td>
            <td />
          </tr>
        </tbody>
      </table>
      <p class="quiet">
        {sum.held === 0 ? live.noneHeld : live.became(percent(Math.min(sum.booked, sum.held), sum.held))}
      </p>
    </section>
  );
}
