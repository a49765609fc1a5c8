import * as Plot from "@observablehq/plot";
import { count, logTicks, num, plain, room, short, spread, tenths } from "./format";
import type { Drawing } from "./figure";
import type { Shown } from "./state";
import type { Config, Study } from "./types";

const common = { style: { background: "none", color: "inherit", fontFamily: "inherit", fontSize: "12px", overflow: "visible" } };

const height = (width: number, ratio: number, most = 380) => Math.round(Math.min(most, Math.max(220, width * ratio)));

/** readable is a colour as text of it can be read on the page's paper. */
const readable = (color: string) => `color-mix(in srgb, ${color} 72%, var(--ink))`;

/** endLabels writes names at the ends of lines, pushed apart where they would touch. */
function endLabels(plot: SVGElement | HTMLElement, labels: { text: string; y: number; color: string }[], x: number, top: number, bottom: number): void {
  const apart = 13;
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  sorted.forEach((l, i) => (l.y = Math.max(l.y, i === 0 ? top : sorted[i - 1]!.y + apart)));
  for (let i = sorted.length - 1, limit = bottom; i >= 0; i--, limit -= apart) sorted[i]!.y = Math.min(sorted[i]!.y, limit);
  const svg = plot instanceof SVGSVGElement ? plot : plot.querySelector("svg");
  for (const l of sorted) {
    const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    text.setAttribute("x", String(x));
    text.setAttribute("y", String(l.y + 4));
    text.setAttribute("class", "end-label");
    text.setAttribute("text-anchor", "start");
    text.style.fill = readable(l.color);
    text.textContent = l.text;
    svg?.append(text);
  }
}

/** learning draws a figure over epochs: the mean of the networks, the band from the least to the largest. */
export function learning(shown: Shown, name: string, title: string): Drawing | null {
  const with_ = shown.filter((s) => (s.config.learning?.[name]?.epoch.length ?? 0) > 0);
  if (with_.length === 0) return null;
  const points = with_.flatMap(({ config, color, dash }) => {
    const l = config.learning![name]!;
    return l.epoch.map((epoch, i) => ({ config: config.name, color, dash, epoch, mean: l.mean[i]!, low: l.low[i]!, high: l.high[i]!, n: l.n[i]! }));
  });
  const loss = name.endsWith("loss");
  const log = loss && points.every((p) => p.low > 0);
  return {
    title,
    alt: `${title} over epochs. ` + with_.map(({ config }) => { const l = config.learning![name]!; return `${plain(config.name)} goes from ${num(l.mean[0])} to ${num(l.mean.at(-1))}`; }).join("; ") + ".",
    draw(width) {
      const h = height(width, 0.72, 280), right = width < 300 ? 70 : 96;
      const plot = Plot.plot({
        ...common, width, height: h, marginLeft: 46, marginRight: right, marginBottom: 34,
        x: { label: "epoch", tickFormat: "d", ticks: Math.min(6, Math.max(...points.map((p) => p.epoch))) },
        y: { type: log ? "log" : "linear", label: null, grid: true, tickFormat: log ? short : undefined, tickSize: 0, ...(log ? { ticks: logTicks(Math.min(...points.map((p) => p.low)), Math.max(...points.map((p) => p.high))) } : { domain: loss ? undefined : [0, 1] }) },
        marks: [
          ...with_.map(({ config, color }) => Plot.areaY(points.filter((p) => p.config === config.name), { x: "epoch", y1: "low", y2: "high", fill: color, fillOpacity: 0.13 })),
          ...with_.map(({ config, color, dash }) => Plot.lineY(points.filter((p) => p.config === config.name), { x: "epoch", y: "mean", stroke: color, strokeWidth: 2, strokeDasharray: dash })),
          Plot.tip(points, Plot.pointer({ x: "epoch", y: "mean", title: (p) => `${plain(p.config)}, epoch ${p.epoch}\nmean ${num(p.mean)}, ${num(p.low)} to ${num(p.high)}\n${p.n} networks`, ...tip })),
        ],
      });
      const y = plot.scale("y")!;
      endLabels(plot, with_.map(({ config, color }) => ({ text: plain(config.name), y: y.apply(config.learning![name]!.mean.at(-1)!), color })), width - right + 6, 14, h - 38);
      return plot;
    },
    table: () => ({
      title, head: ["configuration", "epoch", "mean", "least", "largest", "networks"], right: [false, true, true, true, true, true],
      rows: points.map((p) => [plain(p.config), count(p.epoch), num(p.mean), num(p.low), num(p.high), count(p.n)]),
    }),
  };
}

const tip = { fill: "var(--raised)", stroke: "var(--line)" } as const;

const markers: Record<string, "circle" | "diamond2" | "square2"> = { "validation threshold": "circle", "FPR 1 %": "diamond2", "FPR 0.1 %": "square2" };

/** steps turns the points of a precision-recall curve into its staircase: precision
 * at a recall is that of the threshold which first reaches it, not a line between two. */
export function curveDrawing(shown: Shown, kind: "pr" | "roc", study: Study): Drawing {
  const pr = kind === "pr";
  const lines = shown.flatMap((s) => (s.config.curves ?? []).map((curve, replicate) => ({ ...s, curve, replicate })));
  const floor = Math.min(...lines.map((l) => l.curve.floor));
  const points = lines.flatMap(({ config, color, curve }) => curve.points.map((p) => ({ config: config.name, color, seed: curve.seed, ...p, x: pr ? p.recall : Math.max(p.fpr, floor), y: pr ? p.precision : p.recall })));
  const drawn = points.filter((p) => p.y !== null && markers[p.name]);
  const title = pr ? "Precision and recall" : "Recall against false alarms (ROC)";
  const chance = Number(study.figures.find((f) => f.name === "test.average_precision")?.chance);
  return {
    title,
    note: pr ? "Test flows, a line a seed, a step at every score." : "The false-positive rate on a logarithmic axis; a rate of 0 lies at its left end.",
    alt: `${title} of ${shown.map((s) => plain(s.config.name)).join(", ")}, a line for each seed, with the operating points marked. The table gives those points.`,
    draw(width) {
      const h = height(width, 0.78, 420);
      return Plot.plot({
        ...common, width, height: h, marginLeft: 42, marginBottom: 38, marginRight: 14,
        x: pr ? { domain: [0, 1], label: "recall", labelAnchor: "center", ticks: 5 } : { type: "log", domain: [floor, 1], label: "false-positive rate", labelAnchor: "center", ticks: 5, tickFormat: short },
        y: { domain: [0, 1], label: pr ? "precision" : "recall", grid: true, ticks: 5 },
        symbol: { domain: Object.keys(markers), range: Object.values(markers) },
        marks: [
          pr && chance > 0 ? Plot.ruleY([chance], { stroke: "var(--muted)", strokeDasharray: "2 3" }) : null,
          pr && chance > 0 ? Plot.text([`chance ${num(chance)}`], { x: 1, y: chance, dy: -7, textAnchor: "end", fill: "var(--muted)" }) : null,
          pr ? null : Plot.ruleX([0.001, 0.01].filter((v) => v > floor), { stroke: "var(--grid)" }),
          ...lines.map(({ curve, color, dash }) => {
            const xs = pr ? curve.recall : curve.fpr.map((v) => Math.max(v, floor));
            const ys = pr ? curve.precision : curve.tpr;
            return Plot.line(xs, { x: xs, y: ys, stroke: color, strokeWidth: 1.6, strokeOpacity: 0.85, strokeDasharray: dash, curve: pr ? "step-before" : "step-after" });
          }),
          Plot.dot(drawn, { x: "x", y: "y", symbol: "name", r: 4.5, fill: "color", stroke: "var(--paper)", strokeWidth: 1 }),
          Plot.tip(drawn, Plot.pointer({ x: "x", y: "y", title: (p) => `${plain(p.config)}, seed ${p.seed}\n${p.name}\nrecall ${num(p.recall)}, precision ${num(p.precision)}\nfalse-positive rate ${num(p.fpr)}`, ...tip })),
        ],
      });
    },
    table: () => ({
      title: "Operating points", head: ["configuration", "seed", "threshold", "recall", "precision", "false-positive rate"], right: [false, true, false, true, true, true],
      rows: points.map((p) => [plain(p.config), String(p.seed), p.name, num(p.recall), num(p.precision), num(p.fpr)]),
    }),
  };
}

/** recalls draws k of n of every attack label with its exact interval. */
export function recalls(shown: Shown): Drawing | null {
  const rows = shown.flatMap(({ config, color }, at) => (config.labels ?? []).map((l) => ({ config: config.name, color, at, ...l, share: l.n > 0 ? l.k / l.n : NaN })));
  if (rows.length === 0) return null;
  const names = [...new Set(rows.map((r) => r.label))];
  const title = "Attacks found, label by label";
  return {
    title,
    note: "At the threshold that validation chose: mean over seeds, with the exact 95 % interval (Clopper and Pearson) of one seed that finds that many.",
    alt: rows.map((r) => `${r.label}: ${plain(r.config)} finds ${tenths(r.k)} of ${tenths(r.n)}`).slice(0, 12).join("; ") + ".",
    draw(width) {
      const narrow = width < 560, band = 22;
      return Plot.plot({
        ...common, width, height: 40 + names.length * (shown.length * band + (narrow ? 22 : 12)) + 34,
        marginLeft: narrow ? 12 : 150, marginRight: narrow ? 84 : 240, marginBottom: 36, marginTop: 22,
        x: { domain: [0, 1], label: "share found", labelAnchor: "center", grid: true, ticks: 5, axis: "bottom" },
        y: { axis: null, domain: shown.map((s) => s.config.name), padding: 0.2 },
        fy: { domain: names, label: null, axis: narrow ? null : "left", padding: narrow ? 0.24 : 0.1 },
        marks: [
          narrow ? Plot.text(names, { fy: (d) => d, text: (d) => d, frameAnchor: "top-left", dy: -14, fontWeight: 600 }) : null,
          Plot.ruleY(rows, { fy: "label", y: "config", x1: "low", x2: "high", stroke: "color", strokeWidth: 2 }),
          Plot.dot(rows.filter((r) => r.n > 0), { fy: "label", y: "config", x: "share", fill: "color", r: 5, stroke: "var(--paper)" }),
          Plot.text(rows, { fy: "label", y: "config", x: 1, dx: 8, textAnchor: "start", fill: (r) => readable(r.color), className: "end-label", text: (r) => (r.n === 0 ? "not in test" : `${tenths(r.k)}/${tenths(r.n)}${narrow ? "" : `  ${plain(r.config)}`}`) }),
        ],
      });
    },
    table: () => ({
      title, head: ["label", "configuration", "found", "of", "recall", "low", "high"], right: [false, false, true, true, true, true, true],
      rows: rows.map((r) => [r.label, plain(r.config), tenths(r.k), tenths(r.n), num(r.share), num(r.low), num(r.high)]),
    }),
  };
}

/** scoreDrawing sets the scores of benign flows above the axis and those of attacks below it. */
export function scoreDrawing(config: Config, color: string): Drawing | null {
  const s = config.scores?.[0];
  if (!s) return null;
  const total = (list: number[]) => Math.max(1, list.reduce((a, b) => a + b, 0));
  const benign = total(s.benign), attack = total(s.attack);
  const root = (v: number) => Math.sqrt(v); // areas of small shares stay visible
  const bars = s.benign.map((b, i) => ({ low: s.edges[i]!, high: s.edges[i + 1]!, benign: b, attack: s.attack[i]!, up: root(b / benign), down: -root(s.attack[i]! / attack) }));
  const title = plain(config.name);
  const top = Math.max(...bars.map((b) => Math.max(b.up, -b.down)));
  return {
    title,
    note: `seed ${s.seed}`,
    alt: `Scores of ${title}: ${count(benign)} benign flows above, ${count(attack)} attacks below the axis${s.threshold === null ? "" : `, threshold ${num(s.threshold)}`}.`,
    draw(width) {
      return Plot.plot({
        ...common, width, height: 190, marginLeft: 14, marginRight: 14, marginBottom: 34, marginTop: 22,
        x: { type: s.log ? "log" : "linear", label: s.log ? "score (logarithmic)" : "score", labelAnchor: "center", ticks: 5, tickFormat: short, domain: [s.edges[0]!, s.edges.at(-1)!] },
        y: { axis: null, domain: [-top * 1.25, top * 1.12] },
        marks: [
          Plot.rectY(bars, { x1: "low", x2: "high", y1: 0, y2: "up", fill: "var(--muted)", fillOpacity: 0.55, inset: 0.4 }),
          Plot.rectY(bars, { x1: "low", x2: "high", y1: 0, y2: "down", fill: color, inset: 0.4 }),
          Plot.ruleY([0], { stroke: "var(--ink)", strokeWidth: 0.6 }),
          s.threshold !== null ? Plot.ruleX([s.threshold], { stroke: "var(--ink)", strokeDasharray: "3 2" }) : null,
          s.threshold !== null ? Plot.text(["threshold"], { x: s.threshold, frameAnchor: "top", dy: -14, fill: "var(--ink)" }) : null,
          Plot.text(["benign"], { frameAnchor: "top-left", fill: "var(--muted)" }),
          Plot.text(["attacks"], { frameAnchor: "bottom-left", fill: readable(color), dy: -2, className: "end-label" }),
        ],
      });
    },
    table: () => ({
      title, head: ["score from", "to", "benign flows", "attacks"], right: [true, true, true, true],
      rows: bars.filter((b) => b.benign + b.attack > 0).map((b) => [num(b.low), num(b.high), count(b.benign), count(b.attack)]),
    }),
  };
}

/** bars draws named shares from 0 on, with their spread. */
export function bars(title: string, note: string, rows: { name: string; value: number; low: number; high: number }[]): Drawing {
  return {
    title, note,
    alt: rows.slice(0, 6).map((r) => `${r.name} ${num(r.value)}`).join(", ") + ".",
    draw(width) {
      const left = room(rows.map((r) => r.name), width);
      return Plot.plot({
        ...common, width, height: 40 + rows.length * 26, marginLeft: left, marginRight: 56, marginBottom: 34,
        x: { label: "share of the variance", labelAnchor: "center", domain: [0, Math.max(0.05, ...rows.map((r) => r.high))], grid: true, ticks: width < 420 ? 2 : 5 },
        y: { domain: rows.map((r) => r.name), label: null },
        marks: [
          Plot.barX(rows, { y: "name", x: "value", fill: "var(--accent)", insetTop: 4, insetBottom: 4 }),
          Plot.ruleY(rows, { y: "name", x1: "low", x2: "high", stroke: "var(--ink)" }),
          Plot.text(rows, { y: "name", x: "high", dx: 6, textAnchor: "start", text: (r) => num(r.value) }),
        ],
      });
    },
    table: () => ({ title, head: ["parameter", "share", "low", "high"], right: [false, true, true, true], rows: rows.map((r) => [r.name, num(r.value), num(r.low), num(r.high)]) }),
  };
}

/** replicates draws every seed's value of a figure, configuration by configuration. */
export function replicates(shown: Shown, study: Study, at: number): Drawing {
  const f = study.figures[at]!;
  const rows = shown.flatMap(({ config, color }) => config.values[at]!.map((v, i) => ({ name: plain(config.name), color, value: v, seed: config.seeds[i] })).filter((r) => r.value !== null));
  return {
    title: `${f.label}, seed by seed`,
    note: f.chance ? `Chance ${f.chance}.` : undefined,
    alt: shown.map((s) => `${plain(s.config.name)} ${spread(s.config.stats[at]!)}`).join("; ") + ".",
    draw(width) {
      const left = room(shown.map((s) => s.config.name), width);
      return Plot.plot({
        ...common, width, height: 44 + shown.length * 30, marginLeft: left, marginRight: 20, marginBottom: 36,
        x: { label: f.label, labelAnchor: "center", grid: true, ticks: 5, domain: f.neutral ? undefined : [0, 1] },
        y: { domain: shown.map((s) => plain(s.config.name)), label: null },
        marks: [
          Plot.tickX(shown.map((s) => ({ name: plain(s.config.name), mean: s.config.stats[at]![0], color: s.color })).filter((r) => r.mean !== null), { x: "mean", y: "name", stroke: "color", strokeWidth: 2.5, inset: 4 }),
          Plot.dot(rows, { x: "value", y: "name", fill: "color", fillOpacity: 0.75, r: 4, stroke: "var(--paper)" }),
        ],
      });
    },
    table: () => ({ title: f.label, head: ["configuration", "seed", f.label], right: [false, true, true], rows: rows.map((r) => [r.name, String(r.seed), num(r.value)]) }),
  };
}
