import "./style.css";
import { h, isDark } from "./dom";
import { flowsPage } from "./flows";
import { follow } from "./live";
import { type Section, studyPage } from "./study";
import type { Flows, Study } from "./types";

const root = document.getElementById("page")!;

/** embedded is the JSON of a script element, or null where the page has none. */
function embedded<T>(id: string): T | null {
  const element = document.getElementById(id);
  return element ? (JSON.parse(element.textContent!) as T) : null;
}

/** show puts a document on the page, in place of the one before. */
function show(document_: Study | Flows): void {
  const at = scrollY;
  const { headline, sections } = document_.kind === "study" ? studyPage(document_) : flowsPage(document_);
  document.title = `${document_.title} · flowbench`;
  root.replaceChildren(
    h("a", { class: "skip", href: "#content" }, "Skip to the content"),
    header(document_.kind === "study" ? "study" : "flows", document_.title, headline, sections),
    h("main", { id: "content", tabindex: -1 }, ...sections.map((s) => s.element)),
    h("footer", {}, "Made by flowbench. Everything on this page is in this file."),
  );
  root.removeAttribute("aria-busy");
  scrollTo(0, at);
  spy(sections);
}

function header(kind: string, title: string, headline: string, sections: Section[]): HTMLElement {
  const toggle = h("button", { type: "button", class: "theme", onclick: () => theme(isDark() ? "light" : "dark") });
  const name = () => (toggle.textContent = isDark() ? "Light" : "Dark");
  name();
  document.addEventListener("themechange", name);
  return h(
    "header",
    {},
    h("div", { class: "masthead" }, h("p", { class: "eyebrow" }, h("span", {}, "flowbench"), ` ${kind} `, h("b", {}, title)), toggle),
    h("h1", {}, headline),
    h("div", { id: "live", class: "live-state", role: "status" }),
    h("nav", { "aria-label": "parts of the page" }, h("ul", {}, ...sections.map((s) => h("li", {}, h("a", { href: `#${s.id}` }, s.name))))),
  );
}

/** theme shows the page in light or dark, whatever the system prefers. */
function theme(name: string): void {
  document.documentElement.dataset.theme = name;
  document.dispatchEvent(new Event("themechange"));
}

/** spy marks the part that is being read in the navigation. */
function spy(sections: Section[]): void {
  const links = new Map(sections.map((s) => [s.element, root.querySelector(`nav a[href="#${s.id}"]`)!]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const e of entries) {
        if (!e.isIntersecting) continue;
        links.forEach((a) => a.removeAttribute("aria-current"));
        links.get(e.target as HTMLElement)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-20% 0px -70% 0px" },
  );
  sections.forEach((s) => seen.observe(s.element));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

const document_ = embedded<Study | Flows>("document");
const live = embedded<{ document: string; events: string }>("live-source");
if (document_) show(document_);
else if (live) void follow(live, show);
