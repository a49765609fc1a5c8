/** num shows a number: three decimals, whole from a hundred on, two digits below a thousandth. */
export function num(v: number | null | undefined): string {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  const a = Math.abs(v);
  if (a !== 0 && a < 0.001) return v.toExponential(1);
  if (a >= 100) return Math.round(v).toLocaleString("en-US");
  return v.toFixed(3);
}

/** signed is a difference in three decimals, with its sign. */
export function signed(v: number): string {
  return `${v < 0 ? "−" : "+"}${Math.abs(v).toFixed(3)}`;
}

/** chanceOf shows a p-value. */
export function chanceOf(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

/** short shows a number in as few characters as name it, for axes. */
export function short(v: number): string {
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a >= 1e4 || a < 1e-3) return v.toExponential(1).replace(/\.0e/, "e").replace("e+", "e");
  return String(Number(v.toPrecision(4)));
}

/** spread is "0.906 ± 0.132". */
export function spread(stat: (number | null)[]): string {
  const [mean, sd] = stat;
  if (mean === null || mean === undefined) return "–";
  if (sd === null || sd === undefined) return num(mean);
  return `${num(mean)} ± ${Math.abs(mean) >= 100 ? count(Math.round(sd)) : num(sd)}`;
}

/** count is a whole number with its thousands apart. */
export function count(v: number): string {
  return v.toLocaleString("en-US");
}

/** tenths is a mean of counts, without a tenth where it is whole. */
export function tenths(v: number): string {
  return (Math.round(v * 10) / 10).toLocaleString("en-US");
}

/** plain is what people call a configuration. */
export function plain(name: string): string {
  return name.replaceAll("_", " ");
}

/** niceTicks are round numbers from low to high, about n of them. */
export function niceTicks(low: number, high: number, n: number): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** logTicks are the powers of ten from low to high, or 1, 2 and 5 of each where those are few. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const of = (steps: number[]) => {
    const out: number[] = [];
    for (let p = first; p <= last; p++) for (const s of steps) out.push(Number((s * 10 ** p).toPrecision(12)));
    return out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  };
  const decades = of([1]);
  return decades.length >= 3 ? decades : of([1, 2, 5]);
}

/** percent is a share in per cent, to a tenth. */
export function percent(share: number): string {
  const v = 100 * share;
  return `${v > 0 && v < 0.1 ? v.toPrecision(1) : v.toFixed(v === 0 || v >= 99.95 ? 0 : 1)} %`;
}

/** room is how many pixels names need beside a chart of a width: half of it at most. */
export function room(names: string[], width: number): number {
  return Math.min(width / 2, 16 + 6.6 * Math.max(4, ...names.map((n) => n.length)));
}
