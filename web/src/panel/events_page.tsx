import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown } from "../texts/index.ts";
import { Share } from "./share.tsx";
import { State } from "./state.tsx";
import { p } from "./texts/index.ts";

const PAGE = 50;
const TYPING_MILLISECONDS = 200;

/** All events, drafts too, with how far their sale is. */
export function EventsPage() {
  const { events: texts, more } = p();
  const search = useSignal("");
  const isPastShown = useSignal(false);
  const events = useSignal<Event[] | null>(null);
  const isMore = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const tries = useSignal(0);
  useTitle(texts.heading);

  const load = async (words: string, include_past: boolean, offset: number) => {
    const query = { limit: PAGE, offset, include_past, ...(words === "" ? {} : { q: words }) };
    const result = await resultOf(api.GET("/events", { params: { query } }));
    if (search.peek().trim() !== words || isPastShown.peek() !== include_past) return;
    refusal.value = result.ok ? null : result.refusal;
    if (!result.ok) return;
    // What has moved to a later page since, or was asked for twice, is there already.
    const known = offset === 0 ? [] : (events.peek() ?? []);
    events.value = [...known, ...result.value.filter(({ id }) => known.every((event) => event.id !== id))];
    isMore.value = result.value.length === PAGE;
  };

  const words = search.value.trim();
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was asked for decides about asking again.
  useEffect(() => {
    const pause = events.peek() === null ? 0 : TYPING_MILLISECONDS;
    const timer = setTimeout(() => void load(words, isPastShown.peek(), 0), pause);
    return () => clearTimeout(timer);
  }, [words, isPastShown.value, tries.value]);

  return (
    <section>
      <header class="heading">
        <h1>{texts.heading}</h1>
        <Link class="button main" to={paths.panel("new")}>
          {texts.new}
        </Link>
      </header>
      <search class="search-bar">
        <input
          type="search"
          aria-label={texts.search}
          placeholder={texts.search}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }}
        />
        <label class="check">
          <input
            type="checkbox"
            onChange={(event) => {
              isPastShown.value = event.currentTarget.checked;
            }}
          />
          {texts.past}
        </label>
      </search>
      <Notice refusal={refusal.value} again={() => tries.value++} />
      {events.value?.length === 0 && <p class="quiet">{texts.none}</p>}
      {events.value !== null && events.value.length > 0 && <Table events={events.value} />}
      {isMore.value && (
        <button
          type="button"
          class="button"
          onClick={() => void load(words, isPastShown.peek(), events.peek()?.length ?? 0)}
        >
          {more}
        </button>
      )}
    </section>
  );
}

function Table({ events }: { events: Event[] }) {
  const { events: texts, number } = p();
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{texts.event}</th>
          <th scope="col">{texts.state}</th>
          <th scope="col" class="wide">
            {texts.sold}
          </th>
          <th scope="col" class="figure">
            {texts.held}
          </th>
          <th scope="col" class="figure">
            {texts.free}
          </th>
          <th scope="col" class="figure">
            {texts.waiting}
          </th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <tr key={event.id}>
            <th scope="row">
              <Link class="name" to={paths.panel(`event/${event.id}`)}>
                {event.name}
              </Link>
              <span class="quiet">
                <time dateTime={event.start_time}>
                  {shown(event.start_time, { dateStyle: "medium", timeStyle: "short" })}
                </time>
                {" · "}
                {event.venue}
              </span>
            </th>
            <td data-label={texts.state}>
              <State status={event.status} />
            </td>
            <td data-label={texts.sold} class="wide">
              <Share part={event.booked_count} whole={event.capacity} />
            </td>
            {[
              [texts.held, event.held_count] as const,
              [texts.free, event.available] as const,
              [texts.waiting, event.waiting_count] as const,
            ].map(([name, count]) => (
              <td key={name} data-label={name} class="figure">
                {number(count)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
