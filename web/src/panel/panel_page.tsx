import "./style/panel.css";
import type { ComponentType } from "preact";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { isKnown, user } from "../session/session.ts";
import { t } from "../texts/index.ts";
import { AuditPage } from "./audit_page.tsx";
import { BookingPage } from "./booking_page.tsx";
import { BookingsPage } from "./bookings_page.tsx";
import { EventForm } from "./event_form.tsx";
import { EventFrame } from "./event_frame.tsx";
import { EventsPage } from "./events_page.tsx";
import { SalesPage } from "./sales_page.tsx";
import { p, startTexts } from "./texts/index.ts";

/** The panel, once its texts are there. */
export async function openPanel(): Promise<ComponentType<{ id: string }>> {
  await startTexts();
  return PanelPage;
}

/** The organisers' pages. The server refuses everybody else whatever this page shows; here they are told so. */
function PanelPage({ id }: { id: string }) {
  const { account } = t();
  useTitle(p().title);
  if (!isKnown.value) return null;
  if (user.value === null) {
    return (
      <section class="narrow">
        <h1>{p().title}</h1>
        <p>{account.needed}</p>
        <Link class="button main" to={paths.logIn(location.pathname + location.search)}>
          {account.logIn}
        </Link>
      </section>
    );
  }
  if (user.value.role !== "admin") {
    return (
      <section class="narrow">
        <h1>{t().nothing.sorry}</h1>
        <p class="notice">{p().refused}</p>
        <Link class="button" to={paths.events}>
          {t().menu.events}
        </Link>
      </section>
    );
  }
  const [area = "", subject = "", part = ""] = id.split("/");
  return (
    <div class="panel">
      <Areas area={area} />
      <Content area={area} subject={subject} part={part} />
    </div>
  );
}

function Areas({ area }: { area: string }) {
  const { areas } = p();
  const shown = [
    { path: "", name: areas.events, isHere: area === "" || area === "new" || area === "event" },
    { path: "sales", name: areas.sales, isHere: area === "sales" },
    { path: "bookings", name: areas.bookings, isHere: area === "bookings" || area === "booking" },
    { path: "audit", name: areas.audit, isHere: area === "audit" },
  ];
  return (
    <nav class="areas" aria-label={areas.main}>
      {shown.map(({ path, name, isHere }) => (
        <Link key={path} to={paths.panel(path)} aria-current={isHere ? "page" : undefined}>
          {name}
        </Link>
      ))}
    </nav>
  );
}

function Content({ area, subject, part }: { area: string; subject: string; part: string }) {
  switch (area) {
    case "":
      return <EventsPage />;
    case "new":
      return <EventForm event={null} />;
    case "event":
      return <EventFrame id={subject} part={part} />;
    case "sales":
      return <SalesPage />;
    case "bookings":
      return <BookingsPage />;
    case "booking":
      return <BookingPage id={subject} />;
    case "audit":
      return <AuditPage />;
    default:
      return <h1>{t().nothing.heading}</h1>;
  }
}
