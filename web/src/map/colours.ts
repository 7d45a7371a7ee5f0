/** Colours of plans on the colours of the page: a plan's navy must be seen on a dark page too. */

export type Colour = [number, number, number];

export function readHex(text: string): Colour {
  const long = text.length === 4 ? text.replace(/[0-9a-f]/gi, "$&$&") : text;
  const number = Number.parseInt(long.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

export function writeHex(colour: Colour): string {
  return `#${colour.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

/** Relative luminance by WCAG 2. */
export function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Colour;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Colour, other: Colour): number {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

export function mixed(one: Colour, other: Colour, share: number): Colour {
  return one.map((part, at) => part + ((other[at] as number) - part) * share) as Colour;
}

/** The colour, moved towards the text's colour until it stands out from the background as shapes must (3 to 1). */
export function visibleOn(colour: Colour, background: Colour, text: Colour): Colour {
  for (let share = 0; share < 1; share += 0.05) {
    const candidate = mixed(colour, text, share);
    if (contrast(candidate, background) >= 3) return candidate;
  }
  return text;
}
