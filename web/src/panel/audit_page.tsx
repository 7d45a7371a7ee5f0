import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "../api/client.ts";
import { resultOf } from "../api/problem.ts";
import type { components } from "../api/schema.d.ts";
import { useLoaded } from "../parts/loading.ts";
import { Notice } from "../parts/notice.tsx";
import { useTitle } from "../parts/title.ts";
import { language, shown } from "../texts/index.ts";
import { p } from "./texts/index.ts";

type Finding = components["schemas"]["Finding"];

const LOOK_MILLISECONDS = 15_000;
const ROWS_SHOWN_MAX = 10;

/** What the audits found: whether every law of the house holds, since when, and which rows break one. */
export function AuditPage() {
  const { audit } = p();
  const looks = useSignal(0);
  useTitle(audit.heading);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) looks.value++;
    }, LOOK_MILLISECONDS);
    return () => clearInterval(timer);
  }, [looks]);
  const query = { limit: 20 };
  const loaded = useLoaded(String(looks.value), () => resultOf(api.GET("/audits", { params: { query } }))).value;
  const [latest, ...earlier] = loaded.state === "here" ? loaded.value : [];
  return (
    <section class="audit">
      <h1>{audit.heading}</h1>
      <p class="quiet lead">{audit.text}</p>
      {loaded.state === "refused" && <Notice refusal={loaded.refusal} again={() => looks.value++} />}
      {loaded.state === "here" && latest === undefined && <p>{audit.none}</p>}
      {latest !== undefined && <Latest finding={latest} />}
      {earlier.length > 0 && <History findings={earlier} />}
    </section>
  );
}

function brokenOf(finding: Finding): [string, number][] {
  return Object.entries(finding.counts).filter(([, count]) => count > 0);
}

function verdictOf(finding: Finding): string {
  const { audit } = p();
  const broken = brokenOf(finding);
  return broken.length === 0 ? audit.sound(Object.keys(finding.counts).length) : audit.broken(broken.length);
}

function moment(instant: string): string {
  return shown(instant, { dateStyle: "medium", timeStyle: "medium" });
}

function Latest({ finding }: { finding: Finding }) {
  const { audit, number } = p();
  const broken = brokenOf(finding);
  const tag = language.value === "en" ? "en-GB" : language.value;
  const seconds = finding.seconds.toLocaleString(tag, { maximumFractionDigits: finding.seconds < 10 ? 2 : 0 });
  const tables = Object.entries(audit.tables).filter(([table]) => table in finding.population);
  return (
    <section class={broken.length === 0 ? "card verdict sound" : "card verdict broken"}>
      <h2>{verdictOf(finding)}</h2>
      <p>
        {audit.since(moment(finding.first_at))}. {audit.last(moment(finding.last_at), finding.times)}
      </p>
      <p class="quiet">
        {audit.lookedAt}:{" "}
        {tables.map(([table, name]) => `${number(finding.population[table] as number)} ${name}`).join(", ")}{" "}
        {audit.took(seconds)}.
      </p>
      {broken.map(([law, count]) => (
        <Broken key={law} law={law} count={count} rows={finding.findings[law] ?? []} />
      ))}
      {broken.length > 0 && <p class="hint">{audit.repair}</p>}
    </section>
  );
}

function Broken({ law, count, rows }: { law: string; count: number; rows: Finding["findings"][string] }) {
  const { audit } = p();
  const columns = Object.keys(rows[0] ?? {});
  return (
    <details class="broken-law" open>
      <summary>
        <strong lang="en">{law.replaceAll("_", " ")}</strong> <span class="quiet">{audit.rows(count)}</span>
      </summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
      <section class="scrolls" aria-label={law.replaceAll("_", " ")} tabIndex={0}>
        <table class="list small">
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, ROWS_SHOWN_MAX).map((row, at) => (
              <tr key={at}>
                {columns.map((column) => (
                  <td key={column}>{told(row[column])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {count > ROWS_SHOWN_MAX && <p class="hint">{audit.firstRows(Math.min(ROWS_SHOWN_MAX, rows.length))}</p>}
    </details>
  );
}

function told(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function History({ findings }: { findings: Finding[] }) {
  const { audit } = p();
  return (
    <section>
      <h2>{audit.history}</h2>
      <table class="list">
        <tbody>
          {findings.map((finding) => (
            <tr key={finding.id}>
              <th scope="row">
                {verdictOf(finding)}
                <span class="quiet">
                  {brokenOf(finding)
                    .map(([law]) => law.replaceAll("_", " "))
                    .join(", ")}
                </span>
              </th>
              <td>{audit.until(moment(finding.first_at), moment(finding.last_at))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
