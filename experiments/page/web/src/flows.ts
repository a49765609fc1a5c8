import type { Section } from "./study";
import type { Flows } from "./types";

export function flowsPage(flows: Flows): { headline: string; sections: Section[] } {
  return { headline: flows.title, sections: [] };
}
