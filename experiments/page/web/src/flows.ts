import * as Plot from "@observablehq/plot";
import { css, h, isDark, onResize } from "./dom";
import { dataTable, type Drawing, figure, absent } from "./figure";
import { count, num, percent, plain, room } from "./format";
import { palette } from "./state";
import { cautions, factList, keyFigures, type Section, section } from "./study";
import type { Count, Distribution, Flows } from "./types";

const common = { style: { background: "none", color: "inherit", fontFamily: "inherit", fontSize: "12px", overflow: "visible" } };
const firstDistributions = 9;

/** flowsPage builds the parts of the page of flows. */
export function flowsPage(flows: Flows): { headline: string; sections: Section[] } {
  const attacks = flows.labels.filter((l, i) => i > 0 && l.rows > 0);
  const headline = attacks.length === 0 ? `${count(total(flows.labels))} flows, none of them an attack` : `${count(attacks.reduce((s, l) => s + l.rows, 0))} attacks among ${count(total(flows.labels))} flows`;
  const color = colors(flows);
  return {
    headline,
    sections: [
      section("overview", "Overview", "", keyFigures(flows.facts), ...flows.notes.map((n) => h("p", { class: "note" }, n)), cautions(flows.warnings)),
      section("labels", "Labels", "Flows of each label, on a logarithmic axis, and where they lie.", figure(labelBars(flows, color)), flows.files && flows.files.length > 0 ? filesTable(flows) : null),
      section("columns", "Columns", "Missing cells, ranges, and the columns that say nothing new.", figure(missing(flows)), columnTable(flows), dataTable(flows.duplicates)),
      section("separation", "What single columns give away", "The AUROC of each column alone, against the benign flows; 0.5 is chance. A model is worth what it adds to these.", ...separations(flows)),
      section("distributions", "Distributions", "Shares of each label's flows along a signed logarithmic axis, sign(x)·log10(1+|x|). Heights are square roots, so that small shares can be seen.", distributions(flows, color)),
      section("scatter", "Two columns at once", flows.scatter.note, scatter(flows, color)),
      section("correlation", "Correlation", flows.correlation.method, heatMap(flows)),
      section("drift", "Drift between files", flows.drift.absent ? "" : flows.drift.method, flows.drift.absent ? absent(flows.drift.absent) : figure(drift(flows))),
      section("ledger", "Ledger and versions", "", flows.ledger ? dataTable(flows.ledger) : null, factList(flows.made)),
    ],
  };
}

function total(labels: Count[]): number {
  return labels.reduce((s, l) => s + l.rows, 0);
}

/** colors gives benign flows a grey, and each attack label with rows one of the palette. */
function colors(flows: Flows): (label: string) => string {
  const attacks = flows.labels.filter((l, i) => i > 0 && l.rows > 0).map((l) => l.label);
  const order = [1, 0, 2, 3, 4, 5, 6, 7]; // vermilion first, the strongest against grey
  return (label) => {
    const at = attacks.indexOf(label);
    return at < 0 ? "var(--muted)" : palette[order[at % order.length]!]!;
  };
}

function labelBars(flows: Flows, color: (label: string) => string): Drawing {
  const rows = flows.labels.filter((l) => l.rows > 0);
  const title = "Flows of each label";
  return {
    title,
    alt: rows.map((r) => `${r.label} ${count(r.rows)}`).join(", ") + ".",
    draw(width) {
      const left = room(rows.map((r) => r.label), width);
      return Plot.plot({
        ...common, width, height: 44 + rows.length * 30, marginLeft: left, marginRight: 130, marginBottom: 34,
        x: { type: "log", domain: [0.8, Math.max(...rows.map((r) => r.rows))], grid: true, ticks: 6, tickFormat: "~s", label: "flows" },
        y: { domain: rows.map((r) => r.label), label: null },
        marks: [
          Plot.barX(rows, { y: "label", x1: 0.8, x2: "rows", fill: (r) => color(r.label), insetTop: 5, insetBottom: 5 }),
          Plot.text(rows, { y: "label", x: "rows", dx: 7, textAnchor: "start", text: (r) => `${count(r.rows)}  ${percent(r.share)}` }),
        ],
      });
    },
    table: () => ({ title, head: ["label", "flows", "share"], right: [false, true, true], rows: rows.map((r) => [r.label, count(r.rows), percent(r.share)]) }),
  };
}

function filesTable(flows: Flows): HTMLElement {
  return dataTable({
    title: "Files", head: ["file", "flows", "labels"], right: [false, true, false],
    rows: flows.files!.map((f) => [f.name, count(f.rows), f.labels.map((l) => `${l.label} ${count(l.rows)}`).join(", ")]),
  });
}

function missing(flows: Flows): Drawing {
  const rows = flows.columns.filter((c) => c.missing > 0).sort((a, b) => b.missing - a.missing);
  const title = "Missing cells, per cent of a column";
  return {
    title,
    note: `${count(flows.columns.length - rows.length)} of ${count(flows.columns.length)} columns miss none.`,
    alt: rows.length === 0 ? "No cell is missing." : rows.slice(0, 8).map((r) => `${plain(r.name)} ${num(100 * r.missing_share)} %`).join(", ") + ".",
    draw(width) {
      if (rows.length === 0) return h("p", { class: "note" }, "No cell is missing.");
      const left = room(rows.map((r) => r.name), width);
      return Plot.plot({
        ...common, width, height: 40 + rows.length * 24, marginLeft: left, marginRight: 110, marginBottom: 30,
        x: { label: "%", grid: true, ticks: width < 500 ? 3 : 5 },
        y: { domain: rows.map((r) => plain(r.name)), label: null },
        marks: [
          Plot.barX(rows, { y: (r) => plain(r.name), x: (r) => 100 * r.missing_share, fill: "var(--accent)", insetTop: 4, insetBottom: 4 }),
          Plot.text(rows, { y: (r) => plain(r.name), x: (r) => 100 * r.missing_share, dx: 6, textAnchor: "start", text: (r) => `${num(100 * r.missing_share)} %  (${count(r.missing)})` }),
        ],
      });
    },
    table: () => ({ title, head: ["column", "missing", "%"], right: [false, true, true], rows: rows.map((r) => [plain(r.name), count(r.missing), num(100 * r.missing_share)]) }),
  };
}

function columnTable(flows: Flows): HTMLElement {
  const table = dataTable({
    title: "Every column", head: ["column", "kind", "missing", "distinct", "zeros", "negative", "least", "median", "largest"], right: [false, false, true, true, true, true, true, true, true],
    rows: flows.columns.map((c) => [c.name, c.kind, count(c.missing), count(c.distinct), count(c.zeros), count(c.negatives), num(c.min), num(c.median), num(c.max)]),
  }, false);
  return h("details", { class: "numbers" }, h("summary", {}, `Every column, ${count(flows.columns.length)} of them`), table);
}

function separations(flows: Flows): Node[] {
  if (flows.separation.length === 0) return [absent("No flow is an attack, so that there is nothing to tell from the benign ones.")];
  return [h("div", { class: "grid two" }, ...flows.separation.map((s) => {
    if (s.absent) return absent(`${s.label}: ${s.absent}.`);
    const rows = s.columns.map((c) => ({ ...c, name: plain(c.column), best: Math.max(c.auroc, 1 - c.auroc), way: c.auroc < 0.5 ? "smaller" : "larger" }));
    const title = `${s.label}, ${count(s.rows)} flows`;
    return figure({
      title,
      alt: rows.slice(0, 5).map((r) => `${r.name} ${num(r.best)}`).join(", ") + ".",
      draw(width) {
        const left = room(rows.map((r) => r.name), width);
        return Plot.plot({
          ...common, width, height: 44 + rows.length * 22, marginLeft: left, marginRight: 60, marginBottom: 34,
          x: { domain: [0.5, 1], label: "AUROC", labelAnchor: "center", grid: true, ticks: 5 },
          y: { domain: rows.map((r) => r.name), label: null },
          marks: [
            Plot.ruleY(rows, { y: "name", x1: 0.5, x2: "best", stroke: "var(--faint)", strokeWidth: 2 }),
            Plot.dot(rows, { y: "name", x: "best", r: 4.5, fill: "var(--accent)" }),
            Plot.text(rows, { y: "name", x: 1, dx: 10, textAnchor: "start", text: (r) => num(r.best) }),
          ],
        });
      },
      table: () => ({
        title, head: ["column", "AUROC", "suspicious", "recall at FPR 1 %", "at 0.1 %", "best value", "F1"], right: [false, true, false, true, true, false, true],
        rows: rows.map((r) => [r.name, num(r.best), r.way, num(r.at1), num(r.at01), r.rule, num(r.f1)]),
      }),
    });
  }))];
}

/** distributions shows the columns that tell most first, and any other by name. */
function distributions(flows: Flows, color: (label: string) => string): HTMLElement {
  const best = new Map<string, number>();
  for (const s of flows.separation) for (const c of s.columns ?? []) best.set(c.column, Math.max(best.get(c.column) ?? 0, c.auroc, 1 - c.auroc));
  const order = [...flows.distributions].sort((a, b) => (best.get(b.column) ?? 0) - (best.get(a.column) ?? 0));
  const grid = h("div", { class: "grid three" });
  const all = h("button", { type: "button" }, `Show all ${count(order.length)} columns`);
  const fill = (n: number) => grid.replaceChildren(...order.slice(0, n).map((d) => figure(distribution(d, color))));
  all.addEventListener("click", () => {
    fill(order.length);
    all.remove();
  });
  fill(firstDistributions);
  return h("div", {}, grid, order.length > firstDistributions ? h("p", { class: "row" }, all) : null);
}

function distribution(d: Distribution, color: (label: string) => string): Drawing {
  const title = plain(d.column);
  const labels = [...d.shares].sort((a, b) => b.rows - a.rows);
  // One row a label: the base line of each is a step below the one before.
  const bars = labels.flatMap((l, k) => l.shares.flatMap((share, i) => (share > 0 ? [{ label: l.label, x1: d.edges[i]!, x2: d.edges[i + 1]!, y1: -k, y2: -k + 0.86 * Math.sqrt(share) }] : [])));
  return {
    title,
    alt: `Distribution of ${title} for ${labels.map((l) => l.label).join(", ")}.`,
    draw(width) {
      return Plot.plot({
        ...common, width, height: 52 + labels.length * 46, marginLeft: 8, marginRight: 12, marginBottom: 26, marginTop: 14,
        x: { domain: [d.edges[0]!, d.edges.at(-1)!], ticks: d.ticks.map((t) => t.place), tickFormat: (v: number) => d.ticks.find((t) => t.place === v)?.text ?? "", label: null },
        y: { axis: null, domain: [-(labels.length - 1), 1] },
        marks: [
          Plot.ruleY(labels.map((_, k) => -k), { stroke: "var(--line)" }),
          Plot.rect(bars, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: (b) => color(b.label), insetLeft: 0.3, insetRight: 0.3 }),
          Plot.text(labels, { x: d.edges.at(-1)!, y: (_, k) => -k + 0.78, text: (l) => l.label, textAnchor: "end", fill: (l) => `color-mix(in srgb, ${color(l.label)} 72%, var(--ink))`, className: "end-label" }),
        ],
      });
    },
    table: () => ({
      title, head: ["label", "least bin with cells", "fullest bin from", "share in it"], right: [false, true, true, true],
      rows: labels.map((l) => {
        const top = l.shares.indexOf(Math.max(...l.shares)), first = l.shares.findIndex((s) => s > 0);
        return [l.label, num(value(d.edges[first]!)), num(value(d.edges[top]!)), `${num(100 * l.shares[top]!)} %`];
      }),
    }),
  };
}

/** value is what lies at a place of the signed logarithmic axis. */
function value(place: number): number {
  return Math.sign(place) * (10 ** Math.abs(place) - 1);
}

/** scatter draws the sample on a canvas, attacks over benign flows. */
function scatter(flows: Flows, color: (label: string) => string): HTMLElement {
  const s = flows.scatter;
  if (s.columns.length < 2) return absent("There are not two columns to set against each other.");
  const choice = (name: string, at: number) => {
    const select = h("select", { "aria-label": name }, ...s.columns.map((c, i) => h("option", { value: i, ...(i === at ? { selected: true } : {}) }, plain(c))));
    select.addEventListener("change", () => draw());
    return h("label", {}, `${name} `, select);
  };
  const across = choice("across", 0), up = choice("up", 1);
  const chart = h("div", { class: "scatter" });
  const chosen = (label: HTMLElement) => Number(label.querySelector("select")!.value);
  const draw = () => {
    const width = Math.min(chart.clientWidth, 860);
    if (width === 0) return;
    const a = chosen(across), b = chosen(up);
    const attack = s.label.some((l) => l > 0);
    const axes = Plot.plot({
      ...common, width, height: Math.round(Math.min(560, width * 0.78)), marginLeft: 52, marginBottom: 40, marginRight: 16,
      x: axis(s.ticks[a]!, s.values[a]!, plain(s.columns[a]!)),
      y: axis(s.ticks[b]!, s.values[b]!, plain(s.columns[b]!)),
      marks: [Plot.frame({ stroke: "var(--line)" })],
    });
    const x = axes.scale("x")!, y = axes.scale("y")!;
    const canvas = h("canvas", { "aria-hidden": "true" });
    const scale = Math.min(devicePixelRatio, 2), height = Number(axes.getAttribute("height"));
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    const c = canvas.getContext("2d")!;
    c.scale(scale, scale);
    const order = [...s.label.keys()].sort((i, j) => s.label[i]! - s.label[j]!);
    const fills = new Map(s.names.map((n) => [n, css(color(n).slice(4, -1))])); // of var(--name)
    for (const i of order) {
      const px = s.values[a]![i], py = s.values[b]![i];
      if (px === null || py === null || px === undefined || py === undefined) continue;
      const benign = s.label[i] === 0;
      c.globalAlpha = benign ? (attack ? 0.28 : 0.5) : 0.85;
      c.fillStyle = fills.get(s.names[s.label[i]!]!)!;
      c.beginPath();
      c.arc(x.apply(px), y.apply(py), benign ? 1.8 : 3.2, 0, 7);
      c.fill();
    }
    axes.setAttribute("aria-hidden", "true");
    chart.replaceChildren(h("div", { class: "stack", role: "img", "aria-label": `${plain(s.columns[b]!)} against ${plain(s.columns[a]!)}, a dot a flow, attacks over benign ones` }, canvas, axes));
  };
  onResize(chart, draw);
  document.addEventListener("themechange", draw);
  const names = s.names.filter((_, k) => s.label.includes(k));
  const key = h("ul", { class: "legend" }, ...names.map((n) => h("li", {}, h("span", { class: "swatch", style: `background:${color(n)}` }), n)));
  return h("div", {}, h("div", { class: "row" }, across, up), key, chart);
}

function axis(ticks: { place: number; text: string }[], values: (number | null)[], label: string) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v !== null) [low, high] = [Math.min(low, v), Math.max(high, v)];
  const pad = (high - low || 1) * 0.03;
  return { domain: [low - pad, high + pad], ticks: ticks.map((t) => t.place), tickFormat: (v: number) => ticks.find((t) => t.place === v)?.text ?? "", label, labelAnchor: "center" as const };
}

/** heatMap draws the correlations on a canvas, clusters outlined; a cell is named under the pointer. */
function heatMap(flows: Flows): HTMLElement {
  const c = flows.correlation, n = (c.columns ?? []).length;
  if (n < 2) return absent("There are not two columns that vary.");
  const canvas = h("canvas", { role: "img", "aria-label": `Rank correlations of ${n} columns in ${1 + Math.max(...c.clusters)} clusters; the table lists the clusters.` });
  const said = h("p", { class: "note", role: "status" }, "Blue: move together. Red: one falls as the other rises (RdBu, ColorBrewer).");
  const place = h("div", { class: "heat" }, canvas);
  let cell = 0, left = 0;
  const draw = () => {
    const width = Math.min(place.clientWidth, 1000);
    if (width === 0) return;
    left = width < 560 ? 0 : 170;
    cell = (width - left) / n;
    const scale = Math.min(devicePixelRatio, 2);
    canvas.width = width * scale;
    canvas.height = (width - left) * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${width - left}px`;
    const g = canvas.getContext("2d")!;
    g.scale(scale, scale);
    const color = Plot.scale({ color: { type: "diverging", scheme: "RdBu", domain: [-1, 1] } });
    const dark = isDark();
    c.values.forEach((row, a) => row.forEach((v, b) => {
      // In the dark, no correlation is the paper and strength is light.
      g.globalAlpha = dark ? Math.min(1, Math.abs(v) * 1.15) : 1;
      g.fillStyle = dark ? (v < 0 ? "#e8836a" : "#62a8dc") : (color.apply(v) as string);
      g.fillRect(left + b * cell, a * cell, cell + 0.5, cell + 0.5);
    }));
    g.globalAlpha = 1;
    g.strokeStyle = css("--ink");
    g.lineWidth = 1.2;
    for (let a = 0; a < n; ) {
      let b = a;
      while (b < n && c.clusters[b] === c.clusters[a]) b++;
      if (b - a > 1) g.strokeRect(left + a * cell, a * cell, (b - a) * cell, (b - a) * cell);
      a = b;
    }
    if (left > 0) {
      g.fillStyle = css("--ink");
      g.font = `${Math.min(12, Math.max(8, cell * 0.86))}px ${getComputedStyle(document.body).fontFamily}`;
      g.textAlign = "right";
      g.textBaseline = "middle";
      c.columns.forEach((name, a) => g.fillText(plain(name), left - 7, (a + 0.5) * cell, left - 10));
    }
  };
  canvas.addEventListener("pointermove", (e) => {
    const box = canvas.getBoundingClientRect();
    const a = Math.floor((e.clientY - box.top) / cell), b = Math.floor((e.clientX - box.left - left) / cell);
    if (a >= 0 && a < n && b >= 0 && b < n) said.textContent = `${plain(c.columns[a]!)} and ${plain(c.columns[b]!)}: ${num(c.values[a]![b])}`;
  });
  onResize(place, draw);
  document.addEventListener("themechange", draw);
  const clusters = [...new Set(c.clusters)].map((k) => c.columns.filter((_, i) => c.clusters[i] === k)).filter((names) => names.length > 1);
  const table = dataTable({ title: "Clusters", head: ["columns", "which"], right: [true, false], rows: clusters.map((names) => [count(names.length), names.map(plain).join(", ")]) }, false);
  table.classList.add("wrap");
  return h("div", {}, place, said, h("details", { class: "numbers" }, h("summary", {}, `The ${clusters.length} clusters of two columns or more`), table));
}

const shownDrift = 24;

function drift(flows: Flows): Drawing {
  const d = flows.drift;
  const columns = d.columns.slice(0, shownDrift);
  const short = (file: string) => file.replace(/\.synthetic\.csv$|\.pcap_ISCX\.csv$|\.csv$/, "").replace(/WorkingHours-?/i, "");
  const cells = columns.flatMap((column, i) => d.files.map((file, k) => ({ column: plain(column), file: short(file), ks: d.values[i]![k] })));
  const title = `The ${columns.length} columns that drift most`;
  return {
    title,
    alt: cells.filter((c) => (c.ks ?? 0) > 0.3).slice(0, 8).map((c) => `${c.column} in ${c.file} ${num(c.ks)}`).join(", ") || "No column drifts by more than 0.3.",
    draw(width) {
      const left = room(columns, width);
      return Plot.plot({
        ...common, width: Math.min(width, left + 24 + d.files.length * 150), height: 120 + columns.length * 22, marginLeft: left, marginTop: 110, marginRight: 24,
        x: { domain: d.files.map(short), label: null, axis: "top", tickRotate: -30 },
        y: { domain: columns.map(plain), label: null },
        color: { scheme: "blues", domain: [0, 1] },
        marks: [
          Plot.cell(cells, { x: "file", y: "column", fill: (c) => c.ks ?? NaN, inset: 0.7 }),
          Plot.text(cells, { x: "file", y: "column", text: (c) => (c.ks === null || c.ks === undefined ? "–" : c.ks.toFixed(2)), fill: (c) => ((c.ks ?? 0) > 0.55 ? "#ffffff" : "#14171a"), className: "on-color" }),
        ],
      });
    },
    table: () => ({
      title: "Drift of every column", head: ["column", ...d.files.map(short)], right: [false, ...d.files.map(() => true)],
      rows: d.columns.map((c, i) => [plain(c), ...d.files.map((_, k) => num(d.values[i]![k]))]),
    }),
  };
}
