import "./example.css";
import { api } from "../api/client.ts";
import { startSession, user } from "../session/session.ts";
import type { SeatMapElement } from "./element.tsx";

const map = document.querySelector("overbookr-seat-map") as SeatMapElement;
const form = document.querySelector("form") as HTMLFormElement;
const told = document.querySelector("#told") as HTMLOListElement;

for (const name of ["chosen", "held", "lost", "refused", "lapsed"]) {
  map.addEventListener(name, (event) => {
    const line = document.createElement("li");
    const detail = document.createElement("code");
    detail.textContent = JSON.stringify((event as CustomEvent).detail);
    line.append(`${name} `, detail);
    told.prepend(line);
  });
}

form.addEventListener("change", () => {
  for (const [name, value] of new FormData(form)) {
    if (value === "" || value === "auto") map.removeAttribute(name);
    else map.setAttribute(name, String(value));
  }
});

async function begin(): Promise<void> {
  const { data: events = [] } = await api.GET("/events", { params: { query: { limit: 50 } } });
  const select = form.elements.namedItem("event") as HTMLSelectElement;
  select.append(...events.map(({ id, name }) => new Option(name, id)));
  const wanted = new URLSearchParams(location.search).get("event") ?? events[0]?.id;
  if (wanted === undefined) return;
  select.value = wanted;
  map.setAttribute("event", wanted);
  // Somebody who is logged in here may try holding as well; another page would bring a token of its own.
  await startSession();
  if (user.value !== null) map.token = () => user.value?.token ?? "";
}

void begin();
