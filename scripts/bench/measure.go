package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"flowbench/experiments/bench"
)

// figures are the values of all rounds, by who measured and what: "flowbench
// dnn/1024" in samples a second, "pandas csv" in seconds.
type figures map[string][]float64

func (f figures) add(who, key string, value float64) {
	f[who+" "+key] = append(f[who+" "+key], value)
}

// median of all rounds; ok is false where nothing was measured.
func (f figures) median(who, key string) (value float64, ok bool) {
	sorted := slices.Sorted(slices.Values(f[who+" "+key]))
	n := len(sorted)
	if n == 0 {
		return 0, false
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2, true
}

const ours = "flowbench"

// report is everything that BENCH.md says.
type report struct {
	settings settings
	machine  machine
	figures  figures
	missing  map[string]string // why a ruler was not measured
	versions map[string]string
	peaks    map[int]float64 // GFlop/s by threads, the best of all rounds
	csv      []bench.CSVResult
	growth   []bench.StepResult
	profile  profile
}

// measure takes every round and then growth and profile.
func (r *report) measure(ctx context.Context) error {
	r.missing, r.versions, r.peaks = map[string]string{}, map[string]string{}, map[int]float64{}
	all := rulers(r.settings.python)
	for _, one := range all {
		if r.versions[one.name], r.missing[one.name] = one.version(ctx, r.settings); r.missing[one.name] != "" {
			fmt.Fprintf(os.Stderr, "%s is not measured: %s\n", one.name, r.missing[one.name])
		}
	}
	start := time.Now()
	for round := range r.settings.repeats {
		if err := r.round(ctx, all); err != nil {
			return err
		}
		each := time.Since(start) / time.Duration(round+1)
		left := each * time.Duration(r.settings.repeats-round-1)
		fmt.Fprintf(os.Stderr, "round %d of %d is done, %v left before growth and profile\n", round+1, r.settings.repeats, left.Round(time.Second))
	}
	return r.rest(ctx)
}

// round measures flowbench and then every ruler once.
func (r *report) round(ctx context.Context, all []ruler) error {
	fmt.Fprintln(os.Stderr, "measuring", ours)
	steps, err := ourSteps(ctx, r.settings)
	if err != nil {
		return err
	}
	for _, s := range steps {
		r.figures.add(ours, stepKey(s), s.SamplesPerSecond)
		cores := s.Threads * max(1, s.Processes)
		r.peaks[cores] = max(r.peaks[cores], s.PeakGFlops)
	}
	csv, err := ourCSV(ctx, r.settings)
	if err != nil {
		return err
	}
	r.figures.add(ours, "csv", csv[0].Seconds)
	r.csv = append(r.csv, csv...)
	for _, one := range all {
		if r.missing[one.name] != "" {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", one.name)
		out, err := output(ctx, one.environment, one.command(r.settings)...)
		if err != nil {
			return err
		}
		found, err := one.parse(out)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		for key, value := range found {
			r.figures.add(one.name, key, value)
		}
	}
	return nil
}

// stepKey names a step as the rulers do, and its threads: they print one figure
// for the better number of threads, of ours the better is taken at the end.
func stepKey(s bench.StepResult) string {
	if s.Processes > 0 {
		return fmt.Sprintf("%s/%d/processes", s.Work, s.Batch)
	}
	return fmt.Sprintf("%s/%d threads=%d", s.Work, s.Batch, s.Threads)
}

func (r *report) rest(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "measuring growth")
	var err error
	repeats := fmt.Sprint(r.settings.repeats)
	if r.growth, err = objects[bench.StepResult](ctx, r.settings, "step", "--growth", "--repeat", repeats, "--plot", r.settings.plot()); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "taking a profile")
	path := filepath.Join(r.settings.work, "step.prof")
	steps, err := objects[bench.StepResult](ctx, r.settings, "step", "--model", "dnn", "--batch", "1024", "--threads", "1",
		"--processes", "0", "--repeat", repeats, "--during", "3s", "--profile", path)
	if err != nil {
		return err
	}
	// Of the samples, those below Train, which a single thread runs whole.
	top, err := output(ctx, nil, "go", "tool", "pprof", "-top", "-unit=ms", "-nodecount=200", `-focus=machine\).Train`, r.settings.flowbench(), path)
	if err != nil {
		return err
	}
	r.profile, err = parseProfile(top, steps[0])
	return err
}
