import { type Signal, useSignal } from "@preact/signals";
import { api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import { serverNow } from "../api/server_clock.ts";
import { Notice } from "../parts/notice.tsx";
import { shown } from "../texts/index.ts";
import { Confirmed } from "./confirmed.tsx";
import { State } from "./state.tsx";
import { p } from "./texts/index.ts";

type Status = "draft" | "on_sale" | "paused" | "closed" | "cancelled";

/** Whether seats are being sold, and what to press to change that. Asking for a state twice is asking for it once. */
export function Sale({ event }: { event: Signal<Event | null> }) {
  const { event: texts, states } = p();
  const working = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const said = useSignal("");
  const { value: shownEvent } = event;
  if (shownEvent === null) return null;
  const status = shownEvent.status as Status;
  const change = async (wanted: Status) => {
    if (working.value) return;
    working.value = true;
    const path = { event_id: shownEvent.id };
    const body = { status: wanted };
    const result = await resultOf(api.PATCH("/events/{event_id}", { params: { path }, body }));
    working.value = false;
    refusal.value = result.ok ? null : result.refusal;
    said.value = result.ok ? texts.changed(states[wanted]) : "";
    if (result.ok) event.value = result.value;
  };
  const opening = { draft: texts.open, paused: texts.resume, closed: texts.reopen, cancelled: null, on_sale: null };
  return (
    <section class="sale" aria-label={texts.sale}>
      <p class="sale-state">
        <State status={status} /> <Window event={shownEvent} />
      </p>
      <div class="sale-act">
        {opening[status] !== null && (
          <Press label={opening[status]} kind="main" isWorking={working.value} act={() => void change("on_sale")} />
        )}
        {status === "on_sale" && (
          <Press label={texts.pause} kind="" isWorking={working.value} act={() => void change("paused")} />
        )}
        {(status === "on_sale" || status === "paused") && (
          <Confirmed
            label={texts.close}
            question={texts.sure}
            yes={texts.closeYes}
            no={texts.closeNo}
            isWorking={working.value}
            act={() => void change("closed")}
          />
        )}
      </div>
      <p role="status" class="unseen">
        {said.value}
      </p>
      <Notice refusal={refusal.value} />
    </section>
  );
}

function Press({ label, kind, isWorking, act }: { label: string; kind: string; isWorking: boolean; act: () => void }) {
  return (
    <button type="button" class={`button ${kind}`} aria-disabled={isWorking} onClick={act}>
      {label}
    </button>
  );
}

/** What the clock says beside the state. `now` only chooses words; the server decides what is sold. */
function Window({ event }: { event: Event }) {
  const { event: texts } = p();
  const now = serverNow();
  const when = (instant: string) => shown(instant, { dateStyle: "medium", timeStyle: "short" });
  if (Date.parse(event.start_time) <= now) return <span class="quiet">{texts.begun}</span>;
  const { sales_open_at: opens, sales_close_at: closes } = event;
  if (opens != null && Date.parse(opens) > now) return <span class="quiet">{texts.opensAt(when(opens))}</span>;
  if (closes != null) return <span class="quiet">{texts.closesAt(when(closes))}</span>;
  return null;
}
