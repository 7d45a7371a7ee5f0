import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { AccountPage } from "./accounts/account_page.tsx";
import { EventsPage } from "./events/events_page.tsx";
import { Header } from "./parts/header.tsx";
import type { Place } from "./paths.ts";
import { Link, place } from "./router.tsx";
import { t } from "./texts/index.ts";

/** What is seldom the first page comes when it is wanted, so that the list of events is there at once. */
const later = {
  event: () => import("./event/event_page.tsx").then(({ EventPage }) => EventPage as Shown),
  bookings: () => import("./bookings/bookings_page.tsx").then(({ BookingsPage }) => BookingsPage as Shown),
  booking: () => import("./bookings/booking_page.tsx").then(({ BookingPage }) => BookingPage as Shown),
  panel: () => import("./panel/panel_page.tsx").then(({ openPanel }) => openPanel() as Promise<Shown>),
};

type Shown = ComponentType<{ id: string }>;

export function Page() {
  const main = useRef<HTMLElement>(null);
  const here = place.value;
  const key = keyOf(here);
  const isFirst = useRef(true);
  // Whoever listens to the page is told that it is another one now; on the first the browser does that.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page is what this is about.
  useEffect(() => {
    if (!isFirst.current) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [key]);
  return (
    <>
      <a class="skip" href="#content">
        {t().skip}
      </a>
      <Header />
      <main id="content" ref={main} tabIndex={-1} key={key}>
        <Content place={here} />
      </main>
    </>
  );
}

function keyOf(here: Place): string {
  return `${here.page} ${"id" in here ? here.id : ""}`;
}

function Content({ place: here }: { place: Place }) {
  switch (here.page) {
    case "events":
      return <EventsPage />;
    case "log-in":
    case "register":
      return <AccountPage isNew={here.page === "register"} then={here.then} />;
    case "event":
    case "booking":
    case "panel":
      return <Later page={here.page} id={here.id} />;
    case "bookings":
      return <Later page="bookings" id="" />;
    case "nothing":
      return <Nothing />;
  }
}

function Later({ page, id }: { page: keyof typeof later; id: string }) {
  const shown = useSignal<{ Shown: Shown } | null>(null);
  useSignalEffect(() => {
    void later[page]().then((Shown) => {
      shown.value = { Shown };
    });
  });
  if (shown.value === null) return null;
  const { Shown } = shown.value;
  return <Shown id={id} />;
}

function Nothing() {
  const { nothing, menu } = t();
  return (
    <section class="narrow">
      <h1>{nothing.heading}</h1>
      <p>{nothing.text}</p>
      <Link class="button" to="/">
        {menu.events}
      </Link>
    </section>
  );
}
