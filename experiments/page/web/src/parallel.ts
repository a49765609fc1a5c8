import * as Plot from "@observablehq/plot";
import { css, h, isDark, onResize } from "./dom";
import { logTicks, niceTicks, num, short } from "./format";
import { packed, Raster } from "./raster";
import type { Selection } from "./state";
import type { Study } from "./types";

/** Dimension is one axis: where each configuration lies on it, from 0 to 1, NaN
 * where it has no value, and the texts beside it. */
interface Dimension {
  label: string;
  places: Float64Array;
  ticks: { at: number; text: string }[];
  text(at: number): string;
  step: number; // of an arrow key
}

const missing = -0.09; // where lines without a value cross an axis
const narrowWidth = 640; // below it axes lie across the page, one below another
const buckets = 12; // of colour
const crowd = 500; // lines from which on they are drawn pixel by pixel
const moving = 800; // lines drawn while a pointer moves: half of them the best, half spread over the others

/** ParallelCoordinates draws the sweep: a line a configuration, an axis a parameter
 * or figure. Each axis has two thumbs, for mouse, finger and arrow keys, between
 * which a configuration must lie to pass. */
export class ParallelCoordinates {
  readonly element: HTMLElement;
  private readonly dims: Dimension[];
  private readonly configs: number[]; // indices into study.configs, no baselines
  private readonly brushes: ([number, number] | null)[];
  private readonly color: Uint8Array;
  private readonly stage = h("div", { class: "stage" });
  private readonly lines = h("canvas", { "aria-hidden": "true" });
  private readonly marked = h("canvas", { "aria-hidden": "true" });
  private readonly said = h("p", { class: "said", role: "status", "aria-live": "polite" });
  private readonly thumbs: [HTMLElement, HTMLElement][] = [];
  private readonly passing: Uint8Array;
  private readonly points: Float32Array; // x, y of every line on every axis, in pixels of the canvas
  private base: Raster | null = null; // all lines, faint, where they are a crowd
  private frame: Raster | null = null;
  private due = 0; // the frame that will draw
  private width = 0;
  private told = 0;
  private dragging = false;
  private palette: { text: string; pixel: number }[] = [];

  constructor(study: Study, private readonly selection: Selection) {
    this.configs = [...study.configs.keys()].filter((i) => !study.configs[i]!.baseline);
    this.dims = dimensions(study, this.configs);
    this.brushes = this.dims.map(() => null);
    this.passing = new Uint8Array(this.configs.length).fill(1);
    this.points = new Float32Array(2 * this.configs.length * this.dims.length);
    this.color = bucketsOf(this.configs);
    const clear = h("button", { type: "button", onclick: () => this.clear() }, "Clear brushes");
    this.element = h(
      "div",
      { class: "parallel", onkeydown: ((e: KeyboardEvent) => e.key === "Escape" && this.clear()) as EventListener },
      h("p", { class: "note" }, "Drag along an axis, or move its two handles with the arrow keys, to keep the configurations between them. Escape clears."),
      h("div", { class: "row" }, this.said, clear),
      this.stage,
      h("p", { class: "note" }, `Colour is ${study.metric.label}, from dark to bright (viridis; bright is better).`),
    );
    this.stage.append(this.lines, this.marked);
    onResize(this.stage, () => this.layout());
    document.addEventListener("themechange", () => this.layout(true));
    this.say();
  }

  /** mark draws one configuration over all others; -1 takes it away. */
  mark(index: number): void {
    const c = prepared(this.marked);
    const at = this.configs.indexOf(index);
    if (at < 0) return;
    c.strokeStyle = css("--ink");
    c.lineWidth = 3;
    c.beginPath();
    this.trace(c, at);
    c.stroke();
  }

  private get across(): boolean {
    return this.width < narrowWidth;
  }

  private get height(): number {
    return this.across ? 70 + this.dims.length * 74 : 400;
  }

  private layout(force = false): void {
    const width = Math.floor(this.stage.clientWidth);
    if (width === 0 || (width === this.width && !force)) return;
    this.width = width;
    this.stage.style.height = `${this.height}px`;
    this.stage.classList.toggle("across", this.across);
    // A crowd of lines needs no half pixels.
    const scale = this.configs.length > crowd ? 1 : Math.min(devicePixelRatio, 2);
    for (const canvas of [this.lines, this.marked]) {
      canvas.width = width * scale;
      canvas.height = this.height * scale;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${this.height}px`;
      context(canvas).setTransform(scale, 0, 0, scale, 0, 0);
    }
    this.locate();
    const scheme = Plot.scale({ color: { scheme: "viridis", domain: [0, 1] } });
    // The ends of viridis that are close to the paper are left out.
    const [from, to] = isDark() ? [0.25, 1] : [0, 0.86];
    this.palette = Array.from({ length: buckets }, (_, i) => {
      const text = scheme.apply(from + ((to - from) * i) / (buckets - 1)) as string;
      return { text, pixel: packed(text) };
    });
    this.axes();
    this.base = null;
    this.draw();
  }

  /** point is where a place on an axis lies in the stage. */
  private point(dim: number, place: number): [number, number] {
    const n = Math.max(1, this.dims.length - 1);
    if (this.across) {
      const left = 20, right = 20 + 26;
      return [right + place * (this.width - right - left), 46 + dim * 74];
    }
    const left = 56, right = 56, top = 58, bottom = 40;
    return [left + (dim * (this.width - left - right)) / n, top + (1 - place) * (this.height - top - bottom)];
  }

  /** locate finds where every line crosses every axis. */
  private locate(): void {
    const d = this.dims.length;
    this.dims.forEach((dim, k) => {
      dim.places.forEach((place, i) => {
        const [x, y] = this.point(k, Number.isNaN(place) ? missing : place);
        this.points[2 * (i * d + k)] = x;
        this.points[2 * (i * d + k) + 1] = y;
      });
    });
  }

  private trace(c: CanvasRenderingContext2D, line: number): void {
    const d = this.dims.length, first = 2 * line * d;
    c.moveTo(this.points[first]!, this.points[first + 1]!);
    for (let k = first + 2; k < first + 2 * d; k += 2) c.lineTo(this.points[k]!, this.points[k + 1]!);
  }

  /** draw lays the lines that pass, the best on top, over all lines, faint. */
  private draw(): void {
    if (this.configs.length > crowd) this.drawCrowd();
    else this.drawFew();
    this.stage.dataset.drawn = "true";
  }

  private drawFew(): void {
    const c = prepared(this.lines);
    c.lineWidth = 1;
    c.globalAlpha = 0.9;
    c.strokeStyle = css("--faint");
    c.beginPath();
    for (let i = 0; i < this.configs.length; i++) this.trace(c, i);
    c.stroke();
    c.lineWidth = 1.4;
    c.globalAlpha = this.configs.length > 100 ? 0.75 : 0.95;
    for (let i = this.configs.length - 1; i >= 0; i--) { // they come best first
      if (!this.passing[i]) continue;
      c.strokeStyle = this.palette[this.color[i]!]!.text;
      c.beginPath();
      this.trace(c, i);
      c.stroke();
    }
    c.globalAlpha = 1;
  }

  private drawCrowd(): void {
    const n = 2 * this.dims.length;
    if (!this.base || !this.frame) {
      const { width, height } = this.lines;
      const paper = css("--paper"), faint = packed(css("--faint"));
      this.base = new Raster(width, height, paper);
      this.frame = new Raster(width, height, paper);
      for (let i = 0; i < this.configs.length; i++) this.base.line(this.points, i * n, (i + 1) * n, faint);
    }
    this.frame.copy(this.base);
    const list = this.drawable();
    for (let k = list.length - 1; k >= 0; k--) { // they come best first
      const i = list[k]!;
      this.frame.line(this.points, i * n, (i + 1) * n, this.palette[this.color[i]!]!.pixel);
    }
    context(this.lines).putImageData(this.frame.image, 0, 0);
  }

  /** drawable lists the lines that pass, or as many as a moving pointer has time for;
   * all of them are drawn when it rests. */
  private drawable(): Uint32Array {
    const list = new Uint32Array(this.configs.length);
    let n = 0;
    for (let i = 0; i < this.passing.length; i++) if (this.passing[i]) list[n++] = i;
    if (!this.dragging || n <= moving) return list.subarray(0, n);
    const best = moving / 2, every = (n - best) / best;
    for (let k = 0; k < best; k++) list[best + k] = list[best + Math.floor(k * every)]!;
    return list.subarray(0, moving);
  }

  private axes(): void {
    this.stage.querySelectorAll(".axis").forEach((e) => e.remove());
    this.thumbs.length = 0;
    this.dims.forEach((dim, d) => {
      const [x0, y0] = this.point(d, 0), [x1, y1] = this.point(d, 1);
      const length = this.across ? x1 - x0 : y0 - y1;
      const axis = h("div", { class: "axis", style: this.across ? `left:${x0}px;top:${y0}px;width:${length}px` : `left:${x1}px;top:${y1}px;height:${length}px` });
      axis.append(h("span", { class: "name" }, dim.label));
      for (const t of dim.ticks) axis.append(h("span", { class: "tick", style: this.across ? `left:${t.at * 100}%` : `top:${(1 - t.at) * 100}%` }, t.text));
      if (dim.places.some(Number.isNaN)) axis.append(h("span", { class: "tick none", style: this.across ? `left:${missing * length}px` : `top:${(1 - missing) * length}px` }, this.across ? "none" : "not set"));
      axis.append(h("div", { class: "band" }), h("div", { class: "grip" }));
      const pair: [HTMLElement, HTMLElement] = [this.thumb(d, 0), this.thumb(d, 1)];
      axis.append(...pair);
      this.thumbs.push(pair);
      this.drag(axis, d);
      this.stage.append(axis);
      this.place(d);
    });
  }

  private thumb(d: number, end: 0 | 1): HTMLElement {
    const dim = this.dims[d]!;
    const thumb = h("div", {
      class: "thumb", role: "slider", tabindex: 0, "aria-label": `${dim.label}, ${end === 0 ? "from" : "to"}`,
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": this.across ? "horizontal" : "vertical",
    });
    thumb.addEventListener("keydown", (e) => {
      const far = Math.max(dim.step, 0.1);
      const by: Record<string, number> = { ArrowUp: dim.step, ArrowRight: dim.step, ArrowDown: -dim.step, ArrowLeft: -dim.step, PageUp: far, PageDown: -far, Home: -2, End: 2 };
      const move = by[e.key];
      if (move === undefined) return;
      e.preventDefault();
      const brush: [number, number] = [...(this.brushes[d] ?? [0, 1])];
      brush[end] = end === 0 ? Math.min(Math.max(brush[0] + move, 0), brush[1]) : Math.max(Math.min(brush[1] + move, 1), brush[0]);
      this.set(d, brush);
    });
    return thumb;
  }

  /** drag makes a brush where a pointer goes down on an axis, or moves the thumb under it. */
  private drag(axis: HTMLElement, d: number): void {
    axis.addEventListener("pointerdown", (down) => {
      const box = axis.getBoundingClientRect();
      const at = (e: PointerEvent) => Math.min(1, Math.max(0, this.across ? (e.clientX - box.left) / box.width : 1 - (e.clientY - box.top) / box.height));
      const end = this.thumbs[d]!.indexOf(down.target as HTMLElement);
      const held = this.brushes[d] ?? [0, 1];
      const anchor = end < 0 ? at(down) : held[1 - end]!;
      axis.setPointerCapture(down.pointerId);
      if (end < 0) down.preventDefault();
      let moved = false;
      const move = (e: PointerEvent) => {
        moved ||= Math.hypot(e.clientX - down.clientX, e.clientY - down.clientY) > 3;
        this.dragging = moved;
        if (moved) this.set(d, [Math.min(anchor, at(e)), Math.max(anchor, at(e))]);
      };
      const up = () => {
        axis.removeEventListener("pointermove", move);
        this.dragging = false;
        if (!moved && end < 0) this.set(d, null);
        else if (moved) this.schedule();
      };
      axis.addEventListener("pointermove", move);
      axis.addEventListener("pointerup", up, { once: true });
      axis.addEventListener("pointercancel", up, { once: true });
    });
  }

  private clear(): void {
    this.brushes.fill(null);
    this.dims.forEach((_, d) => this.place(d));
    this.schedule();
  }

  private set(d: number, brush: [number, number] | null): void {
    this.brushes[d] = brush && brush[0] <= 0 && brush[1] >= 1 ? null : brush;
    this.place(d);
    this.schedule();
  }

  /** schedule filters and draws in the next frame, however many brushes move before it. */
  private schedule(): void {
    if (this.due === 0) this.due = requestAnimationFrame(() => {
      this.due = 0;
      this.filter();
    });
  }

  /** place moves the thumbs of an axis to its brush. */
  private place(d: number): void {
    const [low, high] = this.brushes[d] ?? [0, 1];
    const pair = this.thumbs[d];
    if (!pair) return;
    pair.forEach((thumb, end) => {
      const at = end === 0 ? low : high;
      thumb.style[this.across ? "left" : "top"] = `${(this.across ? at : 1 - at) * 100}%`;
      thumb.setAttribute("aria-valuenow", String(Math.round(at * 100)));
      thumb.setAttribute("aria-valuetext", this.dims[d]!.text(at));
    });
    const axis = pair[0].parentElement!;
    const band = axis.querySelector<HTMLElement>(".band")!;
    axis.classList.toggle("brushed", this.brushes[d] !== null);
    if (this.across) Object.assign(band.style, { left: `${low * 100}%`, width: `${(high - low) * 100}%` });
    else Object.assign(band.style, { top: `${(1 - high) * 100}%`, height: `${(high - low) * 100}%` });
  }

  private filter(): void {
    const slack = 1e-9;
    this.passing.fill(1);
    this.brushes.forEach((brush, d) => {
      if (!brush) return;
      const places = this.dims[d]!.places, low = brush[0] - slack, high = brush[1] + slack;
      for (let i = 0; i < places.length; i++) if (!(places[i]! >= low && places[i]! <= high)) this.passing[i] = 0;
    });
    this.draw();
    this.say();
    // Lines follow the pointer at once; table and charts once it is let go, or keys rest.
    if (!this.dragging) this.tell();
  }

  private tell(): void {
    clearTimeout(this.told);
    const brushed = this.brushes.some((b) => b !== null);
    this.told = window.setTimeout(() => this.selection.brush(brushed ? new Set(this.configs.filter((_, i) => this.passing[i])) : null), 120);
  }

  private say(): void {
    const n = this.passing.reduce((sum, p) => sum + p, 0);
    const limits = this.brushes.flatMap((b, d) => (b ? [`${this.dims[d]!.label} ${this.dims[d]!.text(b[0])} to ${this.dims[d]!.text(b[1])}`] : []));
    this.said.textContent = `${n.toLocaleString("en-US")} of ${this.configs.length.toLocaleString("en-US")} configurations` + (limits.length > 0 ? `: ${limits.join(", ")}` : "");
  }
}

/** context keeps a canvas in the processor's memory, where pixels are put. */
function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext("2d", { willReadFrequently: true })!;
}

function prepared(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const c = context(canvas);
  c.clearRect(0, 0, canvas.width, canvas.height);
  return c;
}

/** bucketsOf deals the configurations, which come best first, to colours by their rank, best last. */
function bucketsOf(configs: number[]): Uint8Array {
  const out = new Uint8Array(configs.length);
  configs.forEach((_, i) => (out[i] = Math.min(buckets - 1, Math.floor(buckets * (1 - i / Math.max(1, configs.length))))));
  return out;
}

function dimensions(study: Study, configs: number[]): Dimension[] {
  const dims: Dimension[] = [];
  study.params.forEach((p, k) => {
    const values = configs.map((i) => study.configs[i]!.params?.[k] ?? null);
    dims.push(p.scale === "category" ? categories(p.label, p.values ?? [], values as (string | null)[]) : numbers(p.label, values as (number | null)[], p.scale === "log"));
  });
  const models = [...new Set(configs.map((i) => study.configs[i]!.model))].sort();
  if (models.length > 1) dims.unshift(categories("model", models, configs.map((i) => study.configs[i]!.model)));
  study.figures.forEach((f, k) => {
    if (!["test.average_precision", "test.recall_at_fpr_0.001", "test.alerts_per_day", study.metric.name].includes(f.name)) return;
    dims.push(numbers(f.label, configs.map((i) => study.configs[i]!.stats[k]![0] ?? null), f.neutral === true));
  });
  return dims;
}

function numbers(label: string, values: (number | null)[], log: boolean): Dimension {
  const present = values.filter((v): v is number => v !== null && (!log || v > 0));
  let low = Infinity, high = -Infinity;
  for (const v of present) [low, high] = [Math.min(low, v), Math.max(high, v)];
  if (low > high) [low, high] = [1, 2];
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const to = log ? Math.log10 : (v: number) => v, from = log ? (v: number) => 10 ** v : (v: number) => v;
  const a = to(low), b = to(high);
  const at = (v: number) => (to(v) - a) / (b - a);
  return {
    label, step: 0.02,
    places: Float64Array.from(values, (v) => (v === null || (log && v <= 0) ? NaN : at(v))),
    ticks: (log ? logTicks(low, high) : niceTicks(low, high, 4)).map((v) => ({ at: at(v), text: short(v) })),
    text: (place) => num(from(a + place * (b - a))),
  };
}

function categories(label: string, names: string[], values: (string | null)[]): Dimension {
  const n = Math.max(1, names.length - 1);
  const place = new Map(names.map((name, i) => [name, names.length === 1 ? 0.5 : i / n]));
  const every = Math.ceil(names.length / 14);
  return {
    label, step: 1 / n,
    places: Float64Array.from(values, (v) => (v === null ? NaN : (place.get(v) ?? NaN))),
    ticks: names.filter((_, i) => i % every === 0).map((name) => ({ at: place.get(name)!, text: name.length > 14 ? `${name.slice(0, 13)}…` : name })),
    text: (at) => names[Math.min(names.length - 1, Math.max(0, Math.round(at * n)))] ?? "",
  };
}
