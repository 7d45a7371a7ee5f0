import { p } from "./texts/index.ts";

/** What state the sale of an event is in: a word, and a mark that does not rely on colour alone. */
export function State({ status }: { status: string }) {
  const { states } = p();
  return <span class={`state ${status}`}>{states[status as keyof typeof states] ?? status}</span>;
}
