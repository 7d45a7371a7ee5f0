import { useEffect } from "preact/hooks";

/** What the window is called while this is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "Overbookr" : `${title} · Overbookr`;
  }, [title]);
}
