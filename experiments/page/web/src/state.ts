import type { Config, Study } from "./types";

/** The most configurations that charts lay over one another: what a reader can tell apart. */
const mostShown = 8;
const shownModels = 4;

/** palette is Okabe and Ito's (2008, "Color Universal Design"), which people with
 * any of the common colour deficiencies tell apart, made lighter on dark paper; its
 * yellow, faint on white, is darker there and comes last, its black is left to text. */
export const palette = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `var(--s${i})`);

/** dashes tell lines apart without colour. */
export const dashes = ["", "6 3", "2 3", "9 3 2 3", "12 4", "1 2", "4 2 1 2", "8 2"];

/** Selection is what a reader has chosen of a study. Listeners hear of each change. */
export class Selection {
  /** matching holds the configurations that pass brushes and search, by index. */
  matching: Set<number>;
  readonly ticked = new Set<number>();
  private readonly listeners: (() => void)[] = [];
  private brushed: Set<number> | null = null;
  private search = "";

  constructor(readonly study: Study) {
    this.matching = new Set(study.configs.keys());
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** brush lets only these configurations pass; null takes the brushes away. */
  brush(passing: Set<number> | null): void {
    this.brushed = passing;
    this.update();
  }

  find(text: string): void {
    this.search = text.trim().toLowerCase();
    this.update();
  }

  tick(index: number, on: boolean): void {
    if (on) this.ticked.add(index);
    else this.ticked.delete(index);
    this.tell();
  }

  untick(): void {
    this.ticked.clear();
    this.tell();
  }

  /** filtered says whether something keeps configurations out. */
  get filtered(): boolean {
    return this.brushed !== null || this.search !== "";
  }

  /** shown lists what charts show: what is ticked, or else the best that match and
   * the best baseline beside them. */
  shown(): { config: Config; index: number; color: string; dash: string }[] {
    const { configs } = this.study;
    let list: number[];
    if (this.ticked.size > 0) {
      list = [...this.ticked].sort((a, b) => a - b).slice(0, mostShown);
    } else {
      const models = [...this.matching].sort((a, b) => a - b).filter((i) => !configs[i]!.baseline && measured(configs[i]!)).slice(0, shownModels);
      const baseline = configs.findIndex((c) => c.baseline && measured(c));
      list = baseline < 0 ? models : [...models, baseline];
    }
    let next = 0;
    return list.map((index) => {
      const config = configs[index]!;
      if (config.baseline) return { config, index, color: "var(--muted)", dash: "3 3" };
      const at = next++ % palette.length;
      return { config, index, color: palette[at]!, dash: dashes[at]! };
    });
  }

  private update(): void {
    this.matching = new Set();
    this.study.configs.forEach((c, i) => {
      const named = c.name.toLowerCase().includes(this.search) || c.model.includes(this.search);
      const passes = c.baseline || this.brushed === null || this.brushed.has(i);
      if (named && passes) this.matching.add(i);
    });
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

export type Shown = ReturnType<Selection["shown"]>;

function measured(c: Config): boolean {
  return (c.stats[0]?.[2] ?? 0) > 0;
}
