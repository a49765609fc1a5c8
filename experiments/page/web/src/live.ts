import { h } from "./dom";
import { count } from "./format";
import type { Progress, Study } from "./types";

/** follow shows the study that a server holds, and each change of it. The bar
 * above the page hears of every epoch; figures are fetched again when trials end,
 * and not while a reader works in the page's controls. */
export async function follow(live: { document: string; events: string }, show: (study: Study) => void): Promise<void> {
  let progress: Progress | null = null;
  let connected = true;
  let version = "";
  let waiting = "";
  const state = () => {
    const place = document.getElementById("live");
    if (!place || !progress) return;
    const running = progress.running ?? [];
    const share = progress.trials > 0 ? progress.ended / progress.trials : 0;
    const offer = waiting && h("button", { type: "button", onclick: () => void load(waiting) }, "Show new figures");
    place.replaceChildren(
      h("div", { class: "meter", "aria-hidden": "true" }, h("span", { style: `width:${share * 100}%` })),
      h("p", {}, connected ? "" : "The server does not answer; waiting for it. ", `${count(progress.ended)} of ${count(progress.trials)} trials have ended`, running.length > 0 ? `; ${running.map((r) => `${r.name} ${r.max_epochs > 0 ? `epoch ${r.epochs}/${r.max_epochs}` : "fits"}`).slice(0, 4).join(", ")}${running.length > 4 ? ` and ${running.length - 4} more` : ""}` : ".", offer || null),
    );
  };
  const busy = () => document.querySelector(".brushed, .configs input:checked") !== null || document.activeElement?.closest("main") != null;
  const load = async (to: string) => {
    const answer = await fetch(live.document, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${live.document}: ${answer.status} ${await answer.text()}`);
    const study = (await answer.json()) as Study;
    version = to;
    waiting = "";
    progress = study.progress;
    show(study);
    state();
  };
  const fail = (error: unknown) => {
    const page = document.getElementById("page")!;
    page.removeAttribute("aria-busy");
    if (!progress) page.replaceChildren(h("main", {}, h("h1", {}, "The study cannot be shown"), h("p", {}, String(error))));
  };
  await load("").catch(fail);
  const events = new EventSource(live.events);
  events.addEventListener("progress", (e) => {
    connected = true;
    const told = JSON.parse((e as MessageEvent<string>).data) as { version: string; progress: Progress };
    progress = told.progress;
    if (told.version !== version) {
      if (version === "" && waiting === "") version = told.version; // what was loaded just now
      else if (busy()) waiting = told.version;
      else void load(told.version).catch(fail);
    }
    state();
  });
  events.addEventListener("error", () => {
    connected = false;
    state();
  });
}
