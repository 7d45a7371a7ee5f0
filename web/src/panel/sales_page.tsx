import { useSignal } from "@preact/signals";
import { api } from "../api/client.ts";
import { type Refusal, type Result, resultOf } from "../api/problem.ts";
import type { components } from "../api/schema.d.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown } from "../texts/index.ts";
import { Series } from "./series.tsx";
import { Bar } from "./share.tsx";
import { p, percent } from "./texts/index.ts";

type Report = components["schemas"]["TotalBookings"];

const RANGES = [7, 30, 90, 365];
const DAY_SECONDS = 86_400;
const TOP = 10;

/** All events together: what was booked in a range of days, of which events, and how full they are. */
export function SalesPage() {
  const { sales } = p();
  const days = useSignal(30);
  const tries = useSignal(0);
  useTitle(sales.heading);
  const loaded = useLoaded(`${days.value} ${tries.value}`, () => report(days.peek())).value;
  return (
    <section>
      <header class="heading">
        <h1>{sales.heading}</h1>
        <div class="heading-act">
          <label class="inline-field">
            <span>{sales.range}</span>
            <select
              value={String(days.value)}
              onChange={({ currentTarget }) => {
                days.value = Number(currentTarget.value);
              }}
            >
              {RANGES.map((range) => (
                <option key={range} value={String(range)}>
                  {sales.days(range)}
                </option>
              ))}
            </select>
          </label>
          <Download days={days.value} />
        </div>
      </header>
      {loaded.state === "refused" && <Notice refusal={loaded.refusal} again={() => tries.value++} />}
      {loaded.state === "here" && <Shown report={loaded.value} />}
    </section>
  );
}

function firstDay(days: number): string {
  return new Date(Date.now() - (days - 1) * DAY_SECONDS * 1000).toISOString().slice(0, 10);
}

function report(days: number): Promise<Result<Report>> {
  const query = { from: firstDay(days), top_n: TOP };
  // It may be a table for spreadsheets too, which this does not ask for.
  const call = api.GET("/analytics/total_bookings", { params: { query } });
  return resultOf(call as never as Promise<{ data?: Report; response: Response }>);
}

function Download({ days }: { days: number }) {
  const { sales } = p();
  const refusal = useSignal<Refusal | null>(null);
  const download = async () => {
    const query = { from: firstDay(days), top_n: 100, format: "csv" as const };
    const call = api.GET("/analytics/total_bookings", { params: { query }, parseAs: "blob" });
    const result = await resultOf(call as never as Promise<{ data?: Blob; response: Response }>);
    refusal.value = result.ok ? null : result.refusal;
    if (!result.ok) return;
    const address = URL.createObjectURL(result.value);
    const link = document.createElement("a");
    link.href = address;
    link.download = `bookings-${query.from}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  return (
    <>
      <button type="button" class="button" onClick={() => void download()}>
        {sales.download}
      </button>
      <Notice refusal={refusal.value} />
    </>
  );
}

function Shown({ report }: { report: Report }) {
  const { sales, number } = p();
  const { totals } = report;
  const figures = [
    { name: sales.seats, figure: number(totals.total_seats_booked) },
    { name: sales.bookings, figure: number(totals.total_bookings) },
    { name: sales.cancelled, figure: number(totals.total_cancellations) },
    {
      name: sales.share,
      figure: totals.total_bookings === 0 ? "–" : percent(totals.total_active, totals.total_bookings),
    },
  ];
  return (
    <>
      <dl class="figures">
        {figures.map(({ name, figure }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <span class="figure-large">{figure}</span>
            </dd>
          </div>
        ))}
      </dl>
      <PerDay report={report} />
      <div class="columns">
        <Top report={report} />
        <Utilisation report={report} />
      </div>
    </>
  );
}

function PerDay({ report }: { report: Report }) {
  const { sales, live, number } = p();
  const start = Math.floor(Date.parse(report.range.from) / 1000 / DAY_SECONDS) * DAY_SECONDS;
  const end = Date.parse(report.range.to) / 1000;
  const known = new Map(report.by_day.map((day) => [Date.parse(day.day) / 1000, day]));
  const at: number[] = [];
  for (let day = start; day <= end; day += DAY_SECONDS) at.push(day);
  return (
    <section class="card">
      <header>
        <h2>{sales.byDay}</h2>
        <p class="quiet">{sales.utc}</p>
      </header>
      <Series
        at={at}
        by="day"
        label={sales.byDay}
        lines={[
          { name: sales.bookingsSeries, values: at.map((day) => known.get(day)?.bookings ?? 0), form: "bars" },
          { name: sales.seatsSeries, values: at.map((day) => known.get(day)?.seats_booked ?? 0), form: "line" },
        ]}
      />
      <details>
        <summary>{live.table}</summary>
        {report.by_day.length === 0 ? (
          <p class="quiet">{sales.nothing}</p>
        ) : (
          <table class="list small">
            <thead>
              <tr>
                <th scope="col">{sales.day}</th>
                <th scope="col" class="figure">
                  {sales.bookings}
                </th>
                <th scope="col" class="figure">
                  {sales.seats}
                </th>
              </tr>
            </thead>
            <tbody>
              {[...report.by_day].reverse().map(({ day, bookings, seats_booked }) => (
                <tr key={day}>
                  <th scope="row">{shown(day, { dateStyle: "medium", timeZone: "UTC" })}</th>
                  <td class="figure">{number(bookings)}</td>
                  <td class="figure">{number(seats_booked)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </details>
    </section>
  );
}

function Top({ report }: { report: Report }) {
  const { sales, number } = p();
  const most = Math.max(1, ...report.top_events.map(({ seats_booked }) => seats_booked));
  return (
    <section class="card">
      <h2>{sales.top}</h2>
      {report.top_events.length === 0 && <p class="quiet">{sales.nothing}</p>}
      <Bars
        caption={sales.top}
        rows={report.top_events.map(({ event_id, name, seats_booked }) => ({
          id: event_id,
          name,
          figure: number(seats_booked),
          part: seats_booked,
          whole: most,
        }))}
      />
    </section>
  );
}

function Utilisation({ report }: { report: Report }) {
  const { sales } = p();
  return (
    <section class="card">
      <h2>{sales.utilisation}</h2>
      <Bars
        caption={sales.utilisation}
        rows={report.event_utilization.map(({ event_id, name, booked_count, capacity }) => ({
          id: event_id,
          name,
          figure: percent(booked_count, capacity),
          part: booked_count,
          whole: capacity,
        }))}
      />
    </section>
  );
}

type BarRow = { id: string; name: string; figure: string; part: number; whole: number };

function Bars({ caption, rows }: { caption: string; rows: BarRow[] }) {
  return (
    <table class="bars">
      <caption class="unseen">{caption}</caption>
      <tbody>
        {rows.map(({ id, name, figure, part, whole }) => (
          <tr key={id}>
            <th scope="row">
              <Link to={paths.panel(`event/${id}`)}>{name}</Link>
            </th>
            <td class="figure">{figure}</td>
            <td class="bar-cell">
              <Bar part={part} whole={whole} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
