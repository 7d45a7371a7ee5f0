import { useEffect, useRef } from "preact/hooks";
import { paletteOf } from "../map/palette.ts";

type Kind = "free" | "chosen" | "held" | "sold" | "blocked";

/** A seat as it is on the map, small. */
export function Swatch({ kind, color }: { kind: Kind; color?: string }) {
  const drawing = useRef<SVGSVGElement>(null);
  // The plan's colour is shown as the map shows it, which is not the same on a light and on a dark page.
  useEffect(() => {
    const paint = () => {
      const element = drawing.current;
      if (element === null || color === undefined) return;
      element.style.color = paletteOf(element, [{ color }]).categories[0] as string;
    };
    paint();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", paint);
    return () => scheme.removeEventListener("change", paint);
  }, [color]);
  return (
    <svg ref={drawing} class={`swatch ${kind}`} viewBox="-8 -8 16 16" aria-hidden="true">
      {kind === "free" && <circle r="6.4" fill="currentColor" />}
      {kind === "held" && <circle r="4.2" />}
      {kind === "blocked" && <rect x="-1.2" y="-1.2" width="2.4" height="2.4" />}
      {kind === "sold" && <path d="M-2.4-2.4 2.4 2.4M2.4-2.4-2.4 2.4" />}
      {kind === "chosen" && <circle r="7.2" class="own" />}
      {kind === "chosen" && <path d="M-3 .2-.8 2.6 3.2-2.4" class="tick" />}
    </svg>
  );
}
