import "./style/fonts.css";
import "./style/page.css";
import { render } from "preact";
import { Page } from "./page.tsx";
import { startSession } from "./session/session.ts";
import { startLanguage } from "./texts/index.ts";

await startLanguage();
void startSession();
render(<Page />, document.getElementById("page") as HTMLElement);
