import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown, t } from "../texts/index.ts";
import { offerOf } from "./offer.ts";

const PAGE = 30;
const TYPING_MILLISECONDS = 200;

export function EventsPage() {
  const texts = t().events;
  const search = useSignal("");
  const events = useSignal<Event[] | null>(null);
  const total = useSignal(0);
  const refusal = useSignal<Refusal | null>(null);
  const tries = useSignal(0);
  useTitle("");

  const load = async (words: string, offset: number) => {
    const query = { limit: PAGE, offset, ...(words === "" ? {} : { q: words }) };
    const call = api.GET("/events", { params: { query } });
    const [result, { response }] = await Promise.all([resultOf(call), call.catch(() => ({ response: null }))]);
    if (search.peek().trim() !== words) return;
    refusal.value = result.ok ? null : result.refusal;
    if (!result.ok) return;
    events.value = offset === 0 ? result.value : [...(events.peek() ?? []), ...result.value];
    total.value = Number(response?.headers.get("X-Total-Count") ?? events.value.length);
  };

  const words = search.value.trim();
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was asked for decides about asking again.
  useEffect(() => {
    const timer = setTimeout(() => void load(words, 0), events.peek() === null ? 0 : TYPING_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [words, tries.value]);

  return (
    <section class="programme">
      <h1>{texts.heading}</h1>
      <search class="search">
        <input
          type="search"
          aria-label={texts.search}
          placeholder={texts.search}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }}
        />
      </search>
      <p role="status" class="unseen">
        {events.value !== null && words !== "" ? texts.found(total.value) : ""}
      </p>
      <Notice refusal={refusal.value} again={() => tries.value++} />
      {events.value?.length === 0 && <p class="quiet">{words === "" ? texts.none : texts.noneFound(words)}</p>}
      {events.value && <Months events={events.value} />}
      {events.value && events.value.length < total.value && (
        <button type="button" class="button" onClick={() => void load(words, events.peek()?.length ?? 0)}>
          {texts.more}
        </button>
      )}
    </section>
  );
}

function Months({ events }: { events: Event[] }) {
  const months = new Map<string, Event[]>();
  for (const event of events) {
    const month = shown(event.start_time, { month: "long", year: "numeric" });
    months.set(month, [...(months.get(month) ?? []), event]);
  }
  return (
    <>
      {[...months].map(([month, shows]) => (
        <section key={month} class="month">
          <h2>{month}</h2>
          <ol>
            {shows.map((event) => (
              <Show key={event.id} event={event} />
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}

function Show({ event }: { event: Event }) {
  const offer = offerOf(event);
  return (
    <li>
      <Link to={paths.event(event.id)} class="show">
        <time dateTime={event.start_time}>
          <span class="day">{shown(event.start_time, { day: "numeric" })}</span>
          <span class="weekday">{shown(event.start_time, { weekday: "short" })}</span>
        </time>
        <span class="what">
          <span class="name">{event.name}</span>
          <span class="quiet">
            {event.venue} · {shown(event.start_time, { hour: "2-digit", minute: "2-digit" })}
          </span>
        </span>
        <span class={`offer ${offer.kind}`}>{offer.text(t().events)}</span>
      </Link>
    </li>
  );
}
