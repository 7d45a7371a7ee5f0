import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { api } from "../api/client.ts";
import { type Refusal, resultOf } from "../api/problem.ts";
import type { Chart } from "../map/chart.ts";
import { Notice } from "../parts/notice.tsx";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { language } from "../texts/index.ts";
import { excerptOf, placeInWords, placeOf } from "./json_place.ts";
import { PlanPreview } from "./plan_preview.tsx";
import { p } from "./texts/index.ts";

const BYTES_MAX = 16 * 1024 * 1024;

type Progress =
  | { state: "idle" }
  | { state: "reading" }
  | { state: "checking"; size: number }
  | { state: "shown" | "sending"; chart: Chart; text: string; file: string }
  | { state: "done"; seats: number; file: string }
  | { state: "refused"; refusal: Refusal; text: string; seatNos: string[] }
  | { state: "unreadable"; why: "notAFile" | "tooLarge" };

/** A seating plan by dropping its file: looked at first, then used. Refused or not, nothing that was there is lost. */
export function PlanImport({ id }: { id: string }) {
  const { plan } = p();
  const progress = useSignal<Progress>({ state: "idle" });
  const isOver = useSignal(false);
  const chooser = useRef<HTMLInputElement>(null);
  const isWorking = isBusy(progress.value);

  const read = async (file: File | undefined) => {
    if (file === undefined || isWorking) return;
    if (file.size > BYTES_MAX) {
      progress.value = { state: "unreadable", why: "tooLarge" };
      return;
    }
    progress.value = { state: "reading" };
    const text = await textOf(file).catch(() => null);
    if (text === null) {
      progress.value = { state: "unreadable", why: "notAFile" };
      return;
    }
    progress.value = { state: "checking", size: file.size };
    progress.value = await look(text, file.name);
  };
  const use = async () => {
    if (progress.value.state !== "shown") return;
    progress.value = { ...progress.value, state: "sending" };
    progress.value = await send(id, progress.value.text, progress.value.file);
  };
  const { value: now } = progress;
  const isShown = now.state === "shown" || now.state === "sending";

  return (
    <section class="plan">
      <h2>{plan.heading}</h2>
      <p class="quiet">{plan.text}</p>
      {!isShown && (
        <>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same for whoever cannot drop. */}
          <div
            class={isOver.value ? "drop over" : "drop"}
            onDragOver={(event) => {
              event.preventDefault();
              isOver.value = true;
            }}
            onDragLeave={() => {
              isOver.value = false;
            }}
            onDrop={(event) => {
              event.preventDefault();
              isOver.value = false;
              void read(event.dataTransfer?.files[0]);
            }}
          >
            <p>{plan.dropHere}</p>
            <p class="quiet">{plan.or}</p>
            <input
              ref={chooser}
              id="plan-file"
              type="file"
              class="unseen"
              accept=".json,application/json"
              onChange={({ currentTarget }) => {
                void read(currentTarget.files?.[0]);
                // The same file, corrected, can be chosen again.
                currentTarget.value = "";
              }}
            />
            <label class="button" for="plan-file">
              {plan.choose}
            </label>
          </div>
        </>
      )}
      <Outcome id={id} progress={now} />
      {isShown && (
        <PlanPreview
          chart={now.chart}
          file={now.file}
          isWorking={isWorking}
          use={() => void use()}
          drop={() => {
            if (!isWorking) progress.value = { state: "idle" };
          }}
        />
      )}
    </section>
  );
}

/** Fails for what is no text, rather than sending it with its characters replaced. */
async function textOf(file: File): Promise<string> {
  return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
}

function isBusy({ state }: Progress): boolean {
  return state === "reading" || state === "checking" || state === "sending";
}

/** The file as it is, so that places in it are those that the server speaks of. */
function asIs(text: string) {
  return {
    body: text as unknown as Record<string, never>,
    bodySerializer: (body: unknown) => body as string,
    headers: { "Content-Type": "application/json" },
  };
}

async function look(text: string, file: string): Promise<Progress> {
  const result = await resultOf(api.POST("/seating-plans/preview", asIs(text)));
  if (!result.ok) return { state: "refused", refusal: result.refusal, text, seatNos: [] };
  return { state: "shown", chart: result.value as unknown as Chart, text, file };
}

async function send(id: string, text: string, file: string): Promise<Progress> {
  const params = { path: { event_id: id } };
  const call = api.PUT("/events/{event_id}/seating-plan", { params, ...asIs(text) });
  const result = await resultOf(call);
  if (result.ok) return { state: "done", seats: result.value.seats, file };
  const { error } = (await call.catch(() => ({ error: null }))) as { error?: { seat_nos?: string[] } | null };
  return { state: "refused", refusal: result.refusal, text, seatNos: error?.seat_nos ?? [] };
}

function Outcome({ id, progress }: { id: string; progress: Progress }) {
  const { plan } = p();
  return (
    <>
      <div role="status">
        {isBusy(progress) && (
          <p>
            <progress aria-label={plan.heading} /> {wordsOf(progress)}
          </p>
        )}
        {progress.state === "done" && (
          <p class="notice good">
            {plan.done(progress.seats, progress.file)} <Link to={paths.panel(`event/${id}/seats`)}>{plan.look}</Link>
          </p>
        )}
      </div>
      <div role="alert">
        {progress.state === "unreadable" && <p class="notice">{plan[progress.why]}</p>}
        {progress.state === "refused" && progress.refusal.code === "invalid_plan" && (
          <Mistakes refusal={progress.refusal} text={progress.text} />
        )}
        {progress.state === "refused" && progress.refusal.code === "seats_in_use" && (
          <div class="notice">
            <p>{plan.inUse(progress.seatNos.length)}</p>
            <ul class="labels">
              {progress.seatNos.map((label) => (
                <li key={label}>{label}</li>
              ))}
            </ul>
          </div>
        )}
      </div>
      {progress.state === "refused" && !["invalid_plan", "seats_in_use"].includes(progress.refusal.code) && (
        <Notice refusal={progress.refusal} />
      )}
    </>
  );
}

function wordsOf(progress: Progress): string {
  const { plan } = p();
  if (progress.state === "checking") return plan.checking(sizeOf(progress.size));
  return progress.state === "sending" ? plan.sending : plan.reading;
}

const SHOWN_MAX = 20;

/** What is wrong with the file, each mistake with its line and what stands there. */
function Mistakes({ refusal, text }: { refusal: Refusal; text: string }) {
  const { plan } = p();
  const found = refusal.errors.slice(0, SHOWN_MAX).map(({ path, message }) => {
    const place = path === "$" ? placeInWords(text, message) : placeOf(text, path);
    return { path, message, place, excerpt: place && excerptOf(text, place) };
  });
  return (
    <div class="mistakes">
      <p>
        <strong>{plan.refused}</strong>
      </p>
      <ol>
        {found.map(({ path, message, place, excerpt }) => (
          <li key={path}>
            <p>
              {place && <span class="line">{plan.line(place.line, place.column)}</span>}{" "}
              <span lang="en">{message}</span>
            </p>
            {excerpt && (
              <pre>
                <code>
                  {excerpt.before}
                  <mark>{excerpt.wrong}</mark>
                  {excerpt.after}
                </code>
              </pre>
            )}
          </li>
        ))}
      </ol>
      {refusal.errors.length > SHOWN_MAX && <p>{plan.more}</p>}
      <p class="hint">{plan.same}</p>
    </div>
  );
}

function sizeOf(bytes: number): string {
  const [amount, unit] = bytes < 1024 * 1024 ? [bytes / 1024, "kilobyte"] : [bytes / 1024 / 1024, "megabyte"];
  const tag = language.value === "en" ? "en-GB" : language.value;
  return new Intl.NumberFormat(tag, { style: "unit", unit, maximumFractionDigits: 1 }).format(amount);
}
