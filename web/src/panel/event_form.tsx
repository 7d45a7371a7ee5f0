import { type Signal, useSignal } from "@preact/signals";
import type { JSX, TargetedSubmitEvent } from "preact";
import { useRef } from "preact/hooks";
import { api, type Event } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import type { Chart } from "../map/chart.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { paths } from "../paths.ts";
import { go } from "../router.tsx";
import { Confirmed } from "./confirmed.tsx";
import { bodyOf, changesOf, draftOf, type EventDraft, type Faults, faultsOf, faultsOfRefusal } from "./event_draft.ts";
import { instantOf, zoneOf } from "./moments.ts";
import { p } from "./texts/index.ts";

type TextField = Exclude<keyof EventDraft, "prices">;

/** A new event, or the details of one. What was entered stays whatever the server says to it. */
export function EventForm({ event }: { event: Signal<Event> | null }) {
  const { form } = p();
  const filledIn = useRef(draftOf(event?.peek() ?? null));
  const draft = useSignal(filledIn.current);
  const faults = useSignal<Faults>({});
  const refusal = useSignal<Refusal | null>(null);
  const isWorking = useSignal(false);
  const isSaved = useSignal(false);
  const element = useRef<HTMLFormElement>(null);
  useTitle(event === null ? form.newHeading : event.value.name);

  const set = (field: TextField, text: string) => {
    draft.value = { ...draft.value, [field]: text };
    isSaved.value = false;
    if (faults.value[field as keyof Faults] !== undefined) faults.value = { ...faults.value, [field]: undefined };
  };
  const tell = (found: Faults) => {
    faults.value = found;
    // The first field that is wrong is where to go on.
    requestAnimationFrame(() => element.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };
  const submit = async (submission: TargetedSubmitEvent<HTMLFormElement>) => {
    submission.preventDefault();
    if (isWorking.value) return;
    refusal.value = null;
    isSaved.value = false;
    const found = faultsOf(draft.value);
    if (countOf(found) > 0) return tell(found);
    isWorking.value = true;
    const result = await (event === null ? create(draft.value) : change(event.peek(), draft.value, filledIn.current));
    isWorking.value = false;
    if (!result.ok) {
      const placed = faultsOfRefusal(result.refusal);
      if (countOf(placed) > 0) tell(placed);
      else refusal.value = result.refusal;
      return;
    }
    if (event === null) return go(paths.panel(`event/${result.value.id}/plan`));
    event.value = result.value;
    filledIn.current = draftOf(result.value);
    draft.value = filledIn.current;
    isSaved.value = true;
  };

  const field = (name: TextField, label: string, rest: FieldProperties["input"] = {}, hint?: string) => (
    <Field
      {...{ name, label, hint }}
      fault={faults.value[name as keyof Faults]}
      input={{ ...rest, value: draft.value[name], onInput: ({ currentTarget }) => set(name, currentTarget.value) }}
    />
  );
  const moment = { type: "datetime-local", max: "9000-12-31T23:59" } as const;
  const count = countOf(faults.value);
  return (
    <section class={event === null ? "details alone" : "details"}>
      {event === null ? <h1>{form.newHeading}</h1> : <h2>{form.heading}</h2>}
      <form ref={element} class="form" noValidate onSubmit={(submission) => void submit(submission)}>
        {field("name", form.name, { autocomplete: "off" })}
        {field("venue", form.venue, { autocomplete: "off" })}
        {field(
          "start_time",
          form.start,
          moment,
          form.zone(zoneOf(new Date(instantOf(draft.value.start_time) ?? Date.now()))),
        )}
        <div class="pair">
          {field("sales_open_at", `${form.salesOpen} (${form.optional})`, moment, form.salesHint)}
          {field("sales_close_at", `${form.salesClose} (${form.optional})`, moment)}
        </div>
        {field("capacity", `${form.capacity} (${form.optional})`, { inputMode: "numeric" }, form.capacityHint)}
        <Policy draft={draft} />
        {event !== null && <Prices event={event.value} draft={draft} faults={faults.value} />}
        <div role="alert">{count > 0 && <p class="notice">{form.wrong(count)}</p>}</div>
        <Notice refusal={refusal.value} />
        <div class="form-act">
          <button type="submit" class="button main" aria-disabled={isWorking.value}>
            {event === null ? form.create : form.save}
          </button>
          <p role="status" class="quiet">
            {isSaved.value ? form.saved : ""}
          </p>
        </div>
      </form>
      {event !== null && <Deletion event={event.value} />}
    </section>
  );
}

function countOf(faults: Faults): number {
  return Object.values(faults).filter((fault) => fault !== undefined).length;
}

function create(draft: EventDraft) {
  const body = { ...bodyOf(draft, {}), status: "draft" as const, waitlist_mode: "auto" as const };
  return resultOf(api.POST("/events", { body }));
}

function change(event: Event, draft: EventDraft, filledIn: EventDraft) {
  const params = { path: { event_id: event.id } };
  return resultOf(api.PATCH("/events/{event_id}", { params, body: changesOf(draft, filledIn, event) }));
}

interface FieldProperties {
  name: string;
  label: string;
  hint?: string | undefined;
  fault: Faults[keyof Faults];
  input: JSX.IntrinsicElements["input"];
}

function Field({ name, label, hint, fault, input }: FieldProperties) {
  const described = [fault && `${name}-fault`, hint && `${name}-hint`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        aria-invalid={fault !== undefined}
        aria-describedby={described === "" ? undefined : described}
        {...input}
      />
      {fault && (
        <p id={`${name}-fault`} class="fault">
          {p().form.errors[fault]}
        </p>
      )}
      {hint && (
        <p id={`${name}-hint`} class="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

function Policy({ draft }: { draft: Signal<EventDraft> }) {
  const { form } = p();
  return (
    <div class="field">
      <label for="waitlist_policy">{form.policy}</label>
      <select
        id="waitlist_policy"
        value={draft.value.waitlist_policy}
        onChange={({ currentTarget }) => {
          draft.value = { ...draft.value, waitlist_policy: currentTarget.value };
        }}
      >
        {Object.entries(form.policies).map(([policy, text]) => (
          <option key={policy} value={policy}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

/** What a seat of each category of the plan costs. */
function Prices({ event, draft, faults }: { event: Event; draft: Signal<EventDraft>; faults: Faults }) {
  const { form } = p();
  const path = { event_id: event.id };
  const chart = useLoaded(`${event.id} ${event.chart_version}`, () =>
    resultOf(api.GET("/events/{event_id}/chart", { params: { path } })),
  ).value;
  const drawn = chart.state === "here" ? (chart.value as unknown as Chart) : null;
  const categories = [
    ...new Set([...(drawn?.categories.map(({ name }) => name) ?? []), ...Object.keys(draft.value.prices)]),
  ];
  if (categories.length === 0) return null;
  return (
    <fieldset class="prices">
      <legend>{`${form.prices} (${form.optional})`}</legend>
      <Field
        name="currency"
        label={form.currency}
        fault={faults.currency}
        input={{
          value: draft.value.currency,
          maxLength: 3,
          onInput: ({ currentTarget }) => {
            draft.value = { ...draft.value, currency: currentTarget.value.toUpperCase() };
          },
        }}
      />
      {categories.map((category, at) => (
        <Field
          key={category}
          name={`price-${at}`}
          label={category}
          fault={faults.prices}
          input={{
            inputMode: "decimal",
            value: draft.value.prices[category] ?? "",
            onInput: ({ currentTarget }) => {
              draft.value = { ...draft.value, prices: { ...draft.value.prices, [category]: currentTarget.value } };
            },
          }}
        />
      ))}
    </fieldset>
  );
}

function Deletion({ event }: { event: Event }) {
  const { form } = p();
  const refusal = useSignal<Refusal | null>(null);
  const remove = async () => {
    const params = { path: { event_id: event.id } };
    const result = await resultOf(api.DELETE("/events/{event_id}", { params }));
    // One that is gone was deleted by the press before.
    if (result.ok || result.refusal.code === "event_not_found") go(paths.panel());
    else refusal.value = result.refusal;
  };
  return (
    <div class="deletion">
      <Confirmed
        label={form.delete}
        question={form.deleteSure}
        yes={form.deleteYes}
        no={form.deleteNo}
        act={() => void remove()}
      />
      <Notice refusal={refusal.value} />
    </div>
  );
}
