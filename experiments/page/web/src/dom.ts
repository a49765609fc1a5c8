type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined | EventListener>;

/** h makes an element: attributes by name, listeners as on<event>, children in order. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((c): c is Node | string | number => c !== null && c !== undefined && c !== false).map((c) => (typeof c === "number" ? String(c) : c)));
  return element;
}

let ids = 0;

/** freshId is an id that no other element of the page has. */
export function freshId(stem: string): string {
  return `${stem}-${++ids}`;
}

/** css is the value of a colour of the theme, such as --ink, as the page shows it now. */
export function css(name: string): string {
  const probe = h("span", { style: `color: var(${name}); display: none` });
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** isDark says whether the page shows its dark colours. */
export function isDark(): boolean {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** onResize calls back, in a frame of its own, when an element has a size and when that changes. */
export function onResize(element: Element, listener: () => void): void {
  new ResizeObserver(() => requestAnimationFrame(listener)).observe(element);
}
