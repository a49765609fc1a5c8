import { h } from "./dom";
import { count, plain, short, spread } from "./format";
import type { Selection } from "./state";
import type { Config, Study } from "./types";

const pageSize = 25;

interface Column {
  label: string;
  number: boolean;
  key(c: Config): number | string | null; // what it is sorted by
  cell(c: Config): string;
  better?: "high" | "low";
}

function columns(study: Study): Column[] {
  const params = study.params.map(
    (p, k): Column => ({
      label: p.label, number: p.scale !== "category",
      key: (c) => c.params?.[k] ?? null,
      cell: (c) => { const v = c.params?.[k] ?? null; return v === null ? "" : typeof v === "number" ? short(v) : v; },
    }),
  );
  const figures = study.figures.map(
    (f, k): Column => ({ label: f.label, number: true, key: (c) => c.stats[k]![0] ?? null, cell: (c) => spread(c.stats[k]!), better: f.maximize ? "high" : "low" }),
  );
  const found: Column = {
    label: "found in test [95 %]", number: true,
    key: (c) => { const l = c.labels ?? []; const n = l.reduce((s, x) => s + x.n, 0); return n > 0 ? l.reduce((s, x) => s + x.k, 0) / n : null; },
    cell: (c) => (c.labels ?? []).length === 1 ? `${Math.round(c.labels![0]!.k * 10) / 10}/${Math.round(c.labels![0]!.n * 10) / 10} [${c.labels![0]!.low.toFixed(2)}, ${c.labels![0]!.high.toFixed(2)}]` : (c.labels ?? []).length === 0 ? "–" : `${(c.labels ?? []).reduce((s, x) => s + x.k, 0).toFixed(0)}/${(c.labels ?? []).reduce((s, x) => s + x.n, 0).toFixed(0)}`,
  };
  return [...params, ...figures, found];
}

/** ConfigTable lists the configurations that match, a page at a time, sorted by any column. */
export class ConfigTable {
  readonly element: HTMLElement;
  onMark: (index: number) => void = () => {};
  private readonly columns: Column[];
  private readonly body = h("tbody");
  private readonly heads: HTMLElement[] = [];
  private readonly where = h("span", { class: "note", role: "status" });
  private readonly back = h("button", { type: "button", onclick: () => this.go(-1) }, "Back");
  private readonly next = h("button", { type: "button", onclick: () => this.go(1) }, "Next");
  private page = 0;
  private sorted: { column: number; down: boolean } | null = null;

  constructor(private readonly study: Study, private readonly selection: Selection) {
    this.columns = columns(study);
    const head = h("tr", {}, h("th", { scope: "col" }, h("span", { class: "hidden" }, "show in charts")), h("th", { scope: "col" }, "configuration"), h("th", { scope: "col", class: "number" }, "done"));
    this.columns.forEach((c, k) => {
      const th = h("th", { scope: "col", class: c.number ? "number" : "" }, h("button", { type: "button", class: "sort", onclick: () => this.sort(k) }, c.label));
      this.heads.push(th);
      head.append(th);
    });
    const search = h("input", { type: "search", placeholder: "name or model", "aria-label": "find configurations by name or model" });
    search.addEventListener("input", () => selection.find(search.value));
    const untick = h("button", { type: "button", onclick: () => selection.untick() }, "Best again");
    this.element = h(
      "div",
      { class: "configs" },
      h("div", { class: "row" }, search, untick, this.where, this.back, this.next),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "configurations" }, h("table", { class: "wide" }, h("thead", {}, head), this.body)),
      h("p", { class: "note" }, "Mean ± standard deviation over seeds. Tick rows to lay them over one another in the charts; otherwise the best that match are shown, and the best baseline."),
    );
    selection.onChange(() => {
      this.page = 0;
      this.fill();
    });
    this.fill();
  }

  private sort(column: number): void {
    const first = this.columns[column]!.better !== "low" && this.columns[column]!.number;
    if (this.sorted?.column !== column) this.sorted = { column, down: first };
    else if (this.sorted.down === first) this.sorted = { column, down: !first };
    else this.sorted = null; // back to the order of ranks
    this.heads.forEach((th, k) => {
      if (this.sorted?.column === k) th.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    this.page = 0;
    this.fill();
  }

  private go(by: number): void {
    this.page += by;
    this.fill();
  }

  private order(): number[] {
    const list = [...this.selection.matching].sort((a, b) => a - b);
    if (!this.sorted) return list;
    const { column, down } = this.sorted;
    const key = this.columns[column]!.key;
    const value = new Map(list.map((i) => [i, key(this.study.configs[i]!)]));
    return list.sort((a, b) => {
      const x = value.get(a) ?? null, y = value.get(b) ?? null;
      if (x === null || y === null) return (x === null ? 1 : 0) - (y === null ? 1 : 0);
      const c = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -c : c;
    });
  }

  private fill(): void {
    const order = this.order();
    const pages = Math.max(1, Math.ceil(order.length / pageSize));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const from = this.page * pageSize;
    const rows = order.slice(from, from + pageSize);
    this.back.disabled = this.page === 0;
    this.next.disabled = this.page === pages - 1;
    this.where.textContent = order.length === 0 ? "no configuration matches" : `${count(from + 1)} to ${count(from + rows.length)} of ${count(order.length)}`;
    const colors = new Map(this.selection.shown().map((s) => [s.index, s.color]));
    this.body.replaceChildren(...rows.map((i) => this.row(i, colors.get(i))));
  }

  private row(index: number, color: string | undefined): HTMLElement {
    const c = this.study.configs[index]!;
    const box = h("input", { type: "checkbox", "aria-label": `show ${plain(c.name)} in the charts` });
    box.checked = this.selection.ticked.has(index);
    box.addEventListener("change", () => {
      this.selection.tick(index, box.checked);
      this.body.querySelector<HTMLInputElement>(`[data-index="${index}"] input`)?.focus();
    });
    const done = c.states.filter((s) => s === "done").length;
    const row = h(
      "tr",
      { "data-index": index, class: c.baseline ? "baseline" : "" },
      h("td", {}, box),
      h("th", { scope: "row" }, h("span", { class: "swatch", style: color ? `background:${color}` : "" }), c.baseline ? h("span", { class: "note" }, "baseline: ") : null, plain(c.name)),
      h("td", { class: "number" }, `${done}/${c.states.length}`),
      ...this.columns.map((col) => h("td", { class: col.number ? "number" : "", title: col.cell(c).length > 22 ? col.cell(c) : undefined }, clip(col.cell(c)))),
    );
    row.addEventListener("pointerenter", () => this.onMark(index));
    row.addEventListener("pointerleave", () => this.onMark(-1));
    row.addEventListener("focusin", () => this.onMark(index));
    return row;
  }
}

function clip(text: string): string {
  return text.length > 30 ? `${text.slice(0, 29)}…` : text;
}

/** stateText says how a configuration's trials ended that are not done. */
export function ends(study: Study): string[] {
  return study.configs.flatMap((c) => c.states.flatMap((s, i) => (s === "failed" || s === "diverged" || s === "pruned" || s === "lost" ? [`${plain(c.name)}, replicate ${i}: ${s}${c.reasons?.[i] ? `: ${c.reasons[i]}` : ""}`] : [])));
}
