import { p, percent } from "./texts/index.ts";

/** A part of a whole, as figures and as a bar beside them. */
export function Share({ part, whole }: { part: number; whole: number }) {
  return (
    <span class="share">
      <Bar part={part} whole={whole} />
      <span class="share-figures">
        {p().events.soldOf(part, whole)} <span class="quiet">{whole > 0 && percent(part, whole)}</span>
      </span>
    </span>
  );
}

/** For eyes only; the figures are beside it. */
export function Bar({ part, whole, kind = "" }: { part: number; whole: number; kind?: string }) {
  const share = whole === 0 ? 0 : Math.min(1, part / whole);
  return (
    <span class={`bar ${kind}`} aria-hidden="true">
      <span style={{ inlineSize: `${share * 100}%` }} />
    </span>
  );
}
