// The documents that the Go package page writes; see its document.go and flows.go,
// which say what each field means.

export interface Study {
  kind: "study";
  title: string;
  live: boolean;
  overview: Overview;
  progress: Progress;
  metric: Figure;
  figures: Figure[];
  params: Param[];
  configs: Config[];
  pairs?: Pairs;
  importance?: Ranking;
  curves: { bound: number; held: number; absent: string };
  sources: Source[];
  made: Fact[];
}

export interface Overview {
  headline: string;
  facts: { name: string; value: string; note: string }[] | null;
  text: string[];
  warnings: string[] | null;
}

export interface Fact {
  name: string;
  text: string;
}

export interface Progress {
  trials: number;
  ended: number;
  states: Record<string, number>;
  running?: { trial: number; name: string; epochs: number; max_epochs: number }[];
}

export interface Figure {
  name: string;
  label: string;
  maximize: boolean;
  neutral?: boolean;
  chance?: string;
}

export interface Param {
  path: string;
  label: string;
  scale: "linear" | "log" | "category";
  values?: string[];
}

export interface Config {
  name: string;
  study: number;
  model: string;
  baseline?: boolean;
  params: (number | string | null)[] | null;
  set: Record<string, unknown> | null;
  states: string[];
  reasons?: string[];
  seeds: number[];
  stats: (number | null)[][];
  values: (number | null)[][];
  labels?: LabelRecall[];
  confusion?: number[][];
  learning?: Record<string, Learning>;
  curves?: Curve[];
  scores?: Scores[];
}

export interface LabelRecall {
  label: string;
  k: number;
  n: number;
  low: number;
  high: number;
}

export interface Learning {
  epoch: number[];
  mean: number[];
  low: number[];
  high: number[];
  n: number[];
}

export interface Curve {
  seed: number;
  recall: number[];
  precision: number[];
  fpr: number[];
  tpr: number[];
  floor: number;
  points: { name: string; recall: number; precision: number | null; fpr: number }[];
}

export interface Scores {
  seed: number;
  log: boolean;
  edges: number[];
  benign: number[];
  attack: number[];
  threshold: number | null;
}

export interface Pairs {
  best: string;
  metric: string;
  method: string;
  verdict: string;
  entries: { config: string; seeds: number; difference: number; low: number; high: number; p: number; effect: number; rows?: { difference: number; low: number; high: number; p: number }; verdict: string; evaluable: boolean }[];
}

export interface Ranking {
  method: string;
  note?: string;
  entries: { param: string; value: number; low: number; high: number }[] | null;
}

export interface Source {
  name: string;
  spec: string;
  set?: string[];
  facts: Fact[];
  ledger?: Table;
  columns?: Table;
  split?: Table;
  leakage?: Table;
  single?: Table;
  report?: string;
}

export interface Table {
  title: string;
  note?: string;
  head: string[];
  right: boolean[];
  rows: string[][] | null;
}

export interface Flows {
  kind: "flows";
  title: string;
  facts: { name: string; value: string; note: string }[];
  warnings: string[] | null;
  notes: string[];
  labels: Count[];
  files: { name: string; rows: number; labels: Count[] }[] | null;
  columns: FlowColumn[];
  separation: { label: string; rows: number; columns: { column: string; auroc: number; at1: number; at01: number; rule: string; f1: number }[]; absent?: string }[];
  distributions: Distribution[];
  scatter: { rows: number; attacks: number; columns: string[]; values: (number | null)[][]; ticks: { place: number; text: string }[][]; label: number[]; names: string[]; note: string };
  correlation: { columns: string[]; values: number[][]; rows: number; clusters: number[]; method: string };
  drift: { files: string[]; columns: string[]; values: (number | null)[][]; reference: string; method: string; absent?: string };
  duplicates: Table;
  ledger?: Table;
  made: Fact[];
}

export interface Count {
  label: string;
  rows: number;
  share: number;
}

export interface FlowColumn {
  name: string;
  kind: string;
  missing: number;
  missing_share: number;
  distinct: number;
  zeros: number;
  negatives: number;
  min: number | null;
  median: number | null;
  max: number | null;
}

export interface Distribution {
  column: string;
  ticks: { place: number; text: string }[];
  edges: number[]; // on the signed logarithmic axis
  shares: { label: string; rows: number; shares: number[] }[];
}
