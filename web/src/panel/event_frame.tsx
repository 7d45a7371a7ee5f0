import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { shown, t } from "../texts/index.ts";
import { EventForm } from "./event_form.tsx";
import { LivePage } from "./live_page.tsx";
import { PlanImport } from "./plan_import.tsx";
import { Sale } from "./sale.tsx";
import { SeatingPage } from "./seating_page.tsx";
import { p } from "./texts/index.ts";
import { WaitlistPage } from "./waitlist_page.tsx";

const LOOK_MILLISECONDS = 3_000;

/** One event: what it is called, how its sale is, and the part of its pages that is open. */
export function EventFrame({ id, part }: { id: string; part: string }) {
  const event = useSignal<Event | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  useTitle(event.value?.name ?? "");
  useEffect(() => {
    let isOpen = true;
    const look = async () => {
      if (document.hidden) return;
      const result = await resultOf(api.GET("/events/{event_id}", { params: { path: { event_id: id } } }));
      if (!isOpen) return;
      if (result.ok) {
        event.value = newer(event.peek(), result.value);
        refusal.value = null;
      } else if (event.peek() === null || result.refusal.code === "event_not_found") refusal.value = result.refusal;
    };
    void look();
    const timer = setInterval(() => void look(), LOOK_MILLISECONDS);
    return () => {
      isOpen = false;
      clearInterval(timer);
    };
  }, [id, event, refusal]);
  if (refusal.value !== null) {
    return (
      <>
        <h1>{t().nothing.sorry}</h1>
        <Notice refusal={{ ...refusal.value, code: codeOf(refusal.value) }} />
      </>
    );
  }
  if (event.value === null) return <p class="quiet">{p().loading}</p>;
  return (
    <article class="managed">
      <header class="billing">
        <p class="when">
          <time dateTime={event.value.start_time}>
            {shown(event.value.start_time, { dateStyle: "full", timeStyle: "short" })}
          </time>
        </p>
        <h1>{event.value.name}</h1>
        <p class="where">
          {event.value.venue} · <Link to={paths.event(id)}>{p().event.visit}</Link>
        </p>
      </header>
      <Sale event={event} />
      <Parts id={id} part={part} />
      <Part event={event as Signal<Event>} part={part} />
    </article>
  );
}

/** An answer that was on its way while something was changed is older than what is shown. */
function newer(known: Event | null, answer: Event): Event {
  return known !== null && Date.parse(known.updated_at) > Date.parse(answer.updated_at) ? known : answer;
}

/** An address that is no number of an event names none. */
function codeOf(refusal: Refusal): Refusal["code"] {
  return refusal.code === "not_found" ? "event_not_found" : refusal.code;
}

function Parts({ id, part }: { id: string; part: string }) {
  const { parts } = p().event;
  const names = [
    ["", parts.live],
    ["seats", parts.seats],
    ["plan", parts.plan],
    ["waitlist", parts.waitlist],
    ["edit", parts.edit],
  ] as const;
  return (
    <nav class="parts" aria-label={parts.label}>
      {names.map(([path, name]) => (
        <Link
          key={path}
          to={paths.panel(`event/${id}${path && `/${path}`}`)}
          aria-current={path === part ? "page" : undefined}
        >
          {name}
        </Link>
      ))}
      <Link to={`${paths.panel("bookings")}?event=${id}`}>{parts.bookings}</Link>
    </nav>
  );
}

function Part({ event, part }: { event: Signal<Event>; part: string }) {
  const { id } = event.peek();
  switch (part) {
    case "":
      return <LivePage event={event} />;
    case "seats":
      return <SeatingPage id={id} />;
    case "plan":
      return <PlanImport id={id} />;
    case "waitlist":
      return <WaitlistPage event={event} />;
    case "edit":
      return <EventForm event={event} />;
    default:
      return <h2>{t().nothing.heading}</h2>;
  }
}
