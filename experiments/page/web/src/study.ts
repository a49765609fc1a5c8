import { bars, curveDrawing, learning, recalls, replicates, scoreDrawing } from "./charts";
import { h } from "./dom";
import { absent, dataTable, figure, legend } from "./figure";
import { chanceOf, count, percent, plain, signed } from "./format";
import { ParallelCoordinates } from "./parallel";
import { Selection, type Shown } from "./state";
import { ConfigTable, ends } from "./table";
import type { Config, Fact, Study } from "./types";

/** Section is a part of the page that the navigation names by its id. */
export interface Section {
  id: string;
  name: string;
  element: HTMLElement;
}

export function section(id: string, title: string, intro: string, ...children: (Node | null)[]): Section {
  const element = h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), intro ? h("p", { class: "intro" }, intro) : null, ...children);
  return { id, name: id[0]!.toUpperCase() + id.slice(1), element };
}

/** keyFigures is the row of large figures below a headline. */
export function keyFigures(facts: { name: string; value: string; note: string }[]): HTMLElement {
  return h("dl", { class: "keys" }, ...facts.map((k) => h("div", {}, h("dt", {}, k.name), h("dd", {}, h("strong", {}, k.value), h("span", { class: "note" }, k.note)))));
}

export function cautions(list: string[] | null): HTMLElement | null {
  if (!list || list.length === 0) return null;
  return h("aside", { class: "cautions", "aria-label": "before you believe it" }, h("h3", {}, "Before you believe it"), h("ul", {}, ...list.map((w) => h("li", {}, w))));
}

export function factList(facts: Fact[]): HTMLElement {
  return h("dl", { class: "facts" }, ...facts.map((f) => h("div", {}, h("dt", {}, f.name), h("dd", {}, f.text))));
}

/** studyPage builds the parts of a study's page. */
export function studyPage(study: Study): { headline: string; sections: Section[] } {
  const selection = new Selection(study);
  const overview = section("overview", "Overview", "", keyFigures(study.overview.facts ?? []), ...study.overview.text.map((t) => h("p", { class: "prose" }, t)), cautions(study.overview.warnings));
  if (!study.configs.some((c) => (c.stats[0]?.[2] ?? 0) > 0)) {
    return { headline: study.overview.headline, sections: [overview, ...dataSections(study)] };
  }
  const parallel = new ParallelCoordinates(study, selection);
  const table = new ConfigTable(study, selection);
  table.onMark = (i) => parallel.mark(i);
  const models = study.configs.filter((c) => !c.baseline).length;
  const ended = ends(study);
  const sections: Section[] = [
    overview,
    section("sweep", "The sweep", models > 1 ? "Every configuration, in the order of the validation figure that ranks them. Charts below show what is chosen here." : "", models > 1 ? parallel.element : null, table.element,
      ended.length > 0 ? h("details", { class: "numbers" }, h("summary", {}, `${count(ended.length)} trials ended early or failed, and why`), h("ul", {}, ...ended.slice(0, 200).map((e) => h("li", {}, e)))) : null),
    section("learning", "Learning curves", "The mean over all networks of a configuration; the band goes from the least to the largest. Networks that stop early leave it.", following(selection, (shown) => learningGrid(shown))),
    section("curves", "Precision, recall and false alarms", "Every threshold at once, on the test flows; the marked points are the threshold that validation chose (circle), and false-positive rates of 1 % (diamond) and 0.1 % (square).", following(selection, (shown) => curveGrid(shown, study))),
    section("attacks", "Recall per attack", "", following(selection, (shown) => {
      const d = recalls(shown);
      return d ? [figure(d, legend(shown))] : [absent("No threshold could be chosen, so that nothing was found or missed.")];
    })),
    section("seeds", "Seed by seed", "One dot a seed, a bar at their mean.", following(selection, (shown) => [h("div", { class: "grid two" }, ...[1, study.figures.findIndex((f) => f.name === "test.recall_at_fpr_0.001"), study.figures.findIndex((f) => f.name === "test.alerts_per_day")].filter((k) => k > 0).map((k) => figure(replicates(shown, study, k))))])),
    section("confusion", "Confusion counts", "Flows of the test part at the threshold that validation chose, mean over seeds.", following(selection, (shown) => [h("div", { class: "grid three" }, ...shown.filter((s) => (s.config.confusion?.length ?? 0) > 0).map((s) => confusion(s.config, s.color)))])),
    section("scores", "Score distributions", "Benign flows above the axis, attacks below, each as shares of its own; heights are square roots, so that small shares can be seen.", following(selection, (shown) => {
      const drawings = shown.flatMap((s) => { const d = scoreDrawing(s.config, s.color); return d ? [figure(d)] : []; });
      return drawings.length > 0 ? [h("div", { class: "grid two" }, ...drawings)] : [absent(held(study, shown))];
    })),
    importanceSection(study),
    section("differences", "What differs", "The parameters in which the configurations shown differ from the one in front.", following(selection, (shown) => [differences(shown)])),
    ...dataSections(study),
  ];
  return { headline: study.overview.headline, sections };
}

/** following is a place whose content follows the selection. It is filled when it
 * first comes near the window, and again after each change. */
function following(selection: Selection, make: (shown: Shown) => Node[]): HTMLElement {
  const place = h("div", { class: "following" });
  let key = "";
  const fill = () => {
    const shown = selection.shown();
    const now = shown.map((s) => s.index).join();
    if (now === key && place.childElementCount > 0) return;
    key = now;
    place.replaceChildren(...(shown.length > 0 ? make(shown) : [absent("No configuration matches: clear the brushes or the search.")]));
  };
  selection.onChange(fill);
  fill();
  return place;
}

function learningGrid(shown: Shown): Node[] {
  const drawings = [
    learning(shown, "validation.average_precision", "Validation AP"),
    learning(shown, "train.loss", "Training loss"),
    learning(shown, "validation.loss", "Validation loss"),
  ].filter((d) => d !== null);
  if (drawings.length === 0) return [absent("None of these learns by epochs.")];
  return [legend(shown.filter((s) => s.config.learning && Object.keys(s.config.learning).length > 0)), h("div", { class: "grid three" }, ...drawings.map((d) => figure(d)))];
}

function held(study: Study, shown: Shown): string {
  if (study.curves.absent) return `Not recorded: ${study.curves.absent}.`;
  return `The page holds the curves of the best ${study.curves.held} configurations; ${shown.map((s) => plain(s.config.name)).join(", ")} are not among them.`;
}

function curveGrid(shown: Shown, study: Study): Node[] {
  const drawable = shown.filter((s) => (s.config.curves?.length ?? 0) > 0);
  if (drawable.length === 0) return [absent(held(study, shown))];
  return [
    legend(drawable),
    h("div", { class: "grid two" }, figure(curveDrawing(drawable, "pr", study)), figure(curveDrawing(drawable, "roc", study))),
    h("p", { class: "note" }, `Points are thinned: no point of the whole curve is further than ${study.curves.bound} of an axis from the one drawn, and those drawn are exact.`),
  ];
}

function confusion(c: Config, color: string): HTMLElement {
  const n = c.confusion!.length;
  const [tp, fp, fn, tn] = [0, 1, 2, 3].map((k) => c.confusion!.reduce((s, r) => s + r[k]!, 0) / n) as [number, number, number, number];
  const cell = (v: number, of: number, kind: string) => h("td", { class: `number ${kind}` }, h("strong", {}, (Math.round(v * 10) / 10).toLocaleString("en-US")), h("span", { class: "note" }, of > 0 ? percent(v / of) : "–"));
  return h(
    "table",
    { class: "confusion", style: `--series:${color}` },
    h("caption", {}, h("span", { class: "swatch", style: `background:${color}` }), plain(c.name)),
    h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col", class: "number" }, "alert"), h("th", { scope: "col", class: "number" }, "no alert"))),
    h("tbody", {}, h("tr", {}, h("th", { scope: "row" }, "attack"), cell(tp, tp + fn, "good"), cell(fn, tp + fn, "bad")), h("tr", {}, h("th", { scope: "row" }, "benign"), cell(fp, fp + tn, "bad"), cell(tn, fp + tn, "good"))),
  );
}

function importanceSection(study: Study): Section {
  const r = study.importance;
  const parts: (Node | null)[] = [];
  if (r && (r.entries?.length ?? 0) > 0) parts.push(figure(bars("Parameter importance", r.method, r.entries!.map((e) => ({ name: e.param, value: e.value, low: e.low, high: e.high })))));
  else parts.push(absent(r?.note || "Not computed: it needs a sweep in which parameters differ."));
  if (r?.note && parts.length > 0 && (r.entries?.length ?? 0) > 0) parts.push(h("p", { class: "note" }, r.note));
  const p = study.pairs;
  if (p) {
    const span = (low: number, high: number) => `${signed(low)} to ${signed(high)}`;
    parts.push(
      h("p", { class: "prose" }, p.verdict),
      h("div", { class: "tall" }, dataTable({
        title: `${plain(p.best)} against the others, in ${p.metric}`, note: p.method,
        head: ["configuration", "verdict", "over seeds", "95 % interval", "p", "effect size", "over test rows", "95 % interval", "p"], right: [false, false, true, true, true, true, true, true, true],
        rows: p.entries.map((e) => [
          plain(e.config), e.verdict, signed(e.difference), e.seeds > 1 ? span(e.low, e.high) : "–", chanceOf(e.p), e.effect.toFixed(2),
          e.rows ? signed(e.rows.difference) : "–", e.rows ? span(e.rows.low, e.rows.high) : "–", e.rows ? chanceOf(e.rows.p) : "–",
        ]),
      })),
    );
  }
  return section("importance", "What matters, and what differs by chance", "", ...parts);
}

function differences(shown: Shown): HTMLElement {
  const configs = shown.map((s) => s.config).filter((c) => !c.baseline);
  const first = configs[0];
  const text = (v: unknown) => (v === undefined ? "" : typeof v === "string" ? v : JSON.stringify(v));
  const paths = [...new Set(configs.flatMap((c) => Object.keys(c.set ?? {})))].sort();
  const rows = paths.map((path) => [path, ...configs.map((c) => text(c.set?.[path]))]).filter((row) => new Set(row.slice(1)).size > 1);
  if (!first || rows.length === 0) return absent("The configurations shown do not differ in a parameter.");
  return dataTable({ title: "Parameters that differ", head: ["parameter", ...configs.map((c) => plain(c.name))], right: [], rows }, false);
}

/** dataSections are the flows, the spec, the machine and the versions. */
function dataSections(study: Study): Section[] {
  const many = study.sources.length > 1;
  const each = (make: (s: Study["sources"][number]) => (Node | null)[]) => study.sources.flatMap((s) => [many ? h("h3", {}, s.name) : null, ...make(s)]);
  return [
    section("data", "The flows", "What was read, kept, dropped and split, and what a careless split would have leaked.", ...each((s) => {
      const tables = [s.ledger, s.split, s.leakage, s.single, s.columns].filter((t) => t !== undefined);
      if (tables.length > 0) return tables.map((t) => dataTable(t));
      return [s.report ? h("pre", { class: "scroll", tabindex: 0 }, s.report) : absent("Not recorded: the flows have not been read yet.")];
    })),
    section("spec", "Spec, machine and versions", "", ...each((s) => [
      factList(s.facts),
      (s.set?.length ?? 0) > 0 ? h("p", {}, "Set on the command line: ", h("code", {}, s.set!.join("  "))) : null,
      h("pre", { class: "scroll", tabindex: 0, "aria-label": "the spec" }, s.spec),
    ]), factList(study.made)),
  ];
}
