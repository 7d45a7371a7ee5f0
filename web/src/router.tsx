import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { type Place, paths, placeOf } from "./paths.ts";

/** Where the visitor is. */
export const place = signal<Place>(here());

function here(): Place {
  const found = placeOf(location);
  if (found.page === "booking" && location.hash) history.replaceState(null, "", paths.booking(found.id));
  return found;
}

export function go(path: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  place.value = here();
  scrollTo(0, 0);
}

addEventListener("popstate", () => {
  place.value = here();
});
// An old link that is opened where a page is open already changes the hash only.
addEventListener("hashchange", () => {
  place.value = here();
});

interface LinkProperties {
  to: string;
  class?: string;
  "aria-current"?: "page" | undefined;
  children: ComponentChildren;
}

/** A link inside of the pages. It stays a real one: to be opened in a new tab, copied, read out. */
export function Link({ to, children, ...rest }: LinkProperties) {
  return (
    <a
      {...rest}
      href={to}
      onClick={(event) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}
