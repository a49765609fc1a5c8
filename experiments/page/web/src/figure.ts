import { freshId, h, onResize } from "./dom";
import { plain } from "./format";
import type { Shown } from "./state";
import type { Table } from "./types";

/** Drawing is a chart that can be drawn at any width, and what it says as a table. */
export interface Drawing {
  title: string;
  note?: string;
  /** alt says in a sentence what the chart shows, for those who do not see it. */
  alt: string;
  draw(width: number): Element;
  table(): Table;
}

/** figure puts a chart with its caption, and its table behind a fold, on the page.
 * The chart is drawn again when its width changes. */
export function figure(drawing: Drawing, legend?: Node): HTMLElement {
  const id = freshId("figure");
  const canvas = h("div", { class: "chart", role: "img", "aria-label": drawing.alt });
  let width = 0;
  const redraw = () => {
    const now = Math.floor(canvas.clientWidth);
    if (now === 0 || now === width) return;
    width = now;
    const chart = drawing.draw(width);
    chart.setAttribute("aria-hidden", "true");
    canvas.replaceChildren(chart);
  };
  onResize(canvas, redraw);
  return h(
    "figure",
    { "aria-labelledby": id },
    h("figcaption", { id }, h("strong", {}, drawing.title), drawing.note ? h("span", { class: "note" }, drawing.note) : null),
    legend,
    canvas,
    fold(drawing),
  );
}

/** fold holds the chart's table, which is made when it is first opened. */
function fold(drawing: Drawing): HTMLElement {
  const details = h("details", { class: "numbers" }, h("summary", {}, "Show as a table", h("span", { class: "hidden" }, `: ${drawing.title}`)));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(dataTable(drawing.table(), false));
  });
  return details;
}

/** dataTable is a table that scrolls sideways where it is wider than the page. */
export function dataTable(t: Table, titled = true): HTMLElement {
  const cell = (tag: "td" | "th", text: string, i: number) => {
    const kind = t.right[i] ? "number" : undefined;
    if (tag === "th") return h("th", { class: kind, scope: "col" }, text);
    return i === 0 ? h("th", { class: kind, scope: "row" }, text) : h("td", { class: kind }, text);
  };
  const id = freshId("table");
  return h(
    "div",
    {},
    titled ? h("h3", { id }, t.title) : null,
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": t.title },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...t.head.map((text, i) => cell("th", text, i)))),
        h("tbody", {}, ...(t.rows ?? []).map((row) => h("tr", {}, ...row.map((text, i) => cell("td", text, i))))),
      ),
    ),
    t.note ? h("p", { class: "note" }, t.note) : null,
  );
}

/** legend names what charts lay over one another. */
export function legend(shown: Shown): HTMLElement {
  return h(
    "ul",
    { class: "legend", "aria-label": "configurations shown" },
    ...shown.map(({ config, color, dash }) => {
      const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      key.setAttribute("viewBox", "0 0 26 8");
      key.setAttribute("aria-hidden", "true");
      key.innerHTML = `<line x1="0" x2="26" y1="4" y2="4" stroke-width="3" stroke="${color}" stroke-dasharray="${dash}"/>`;
      return h("li", {}, key, plain(config.name), config.baseline ? h("span", { class: "note" }, " baseline") : null);
    }),
  );
}

/** absent stands where a chart cannot, and says why. */
export function absent(text: string): HTMLElement {
  return h("p", { class: "absent" }, text);
}
