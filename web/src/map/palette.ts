import { type Colour, mixed, readHex, visibleOn, writeHex } from "./colours.ts";

/** What the map is drawn in: the page's own colours, light or dark, and the plan's made visible on them. */
export interface Palette {
  background: string;
  text: string;
  quiet: string;
  line: string;
  accent: string;
  onAccent: string;
  font: string;
  categories: string[];
  /** The same, much paler, for whole sections. */
  tints: string[];
  area(color: string): string;
}

export function paletteOf(element: Element, categories: { color: string }[]): Palette {
  const style = getComputedStyle(element);
  const hex = hexReader();
  const named = (name: string) => hex(style.getPropertyValue(name).trim());
  const background = readHex(named("--surface"));
  const text = readHex(named("--text"));
  const visible = categories.map(({ color }) => visibleOn(readHex(hex(color)), background, text));
  return {
    background: writeHex(background),
    text: writeHex(text),
    quiet: named("--text-quiet"),
    line: named("--line-strong"),
    accent: named("--accent"),
    onAccent: named("--on-accent"),
    font: style.fontFamily,
    categories: visible.map(writeHex),
    tints: visible.map((colour) => writeHex(mixed(background, colour, 0.16))),
    // Stage and steps are there for orientation; they stay behind the seats whatever colour the plan gives them.
    area: (color) => (color === "" ? "transparent" : areaColour(hex(color), background, text)),
  };
}

function areaColour(color: string, background: Colour, text: Colour): string {
  return writeHex(mixed(mixed(background, text, 0.08), readHex(color), 0.12));
}

/** Every way to write a colour that CSS knows, as #rrggbb; canvases read them all. */
function hexReader(): (colour: string) => string {
  const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
  return (colour) => {
    context.fillStyle = "#888888";
    context.fillStyle = colour;
    const read = context.fillStyle;
    return /^#[0-9a-f]{6}$/.test(read) ? read : "#888888";
  };
}
