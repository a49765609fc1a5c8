package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"flowbench/experiments/bench"
)

// part is what one kind of routine takes of a step.
type part struct {
	what  string
	share float64
}

// profile is where a step's time goes.
type profile struct {
	step    bench.StepResult
	parts   []part  // the largest first
	samples float64 // milliseconds
}

// kinds sort routines of the profile, by the first pattern that their name matches.
var kinds = []struct {
	pattern *regexp.Regexp
	what    string
}{
	{regexp.MustCompile(`cpu\.(product|plainProduct)`), products},
	{regexp.MustCompile(`cpu\.(outer|plainOuter)`), outers},
	{regexp.MustCompile(`prefetch|gather|memmove`), "gathering rows and copying"},
	{regexp.MustCompile(`cpu\.(finite|columnSums|add|clear)|\.merge|memclr`), "merging the sums over samples, checks for NaN, bias gradients"},
	{regexp.MustCompile(`adam|update`), "Adam"},
	{regexp.MustCompile(`loss|softplus|Exp|Log|log1p|exp`), "the loss and its gradient"},
	{regexp.MustCompile(`[rR]e[lL][uU]|activation|epilogue`), "the activation's derivative"},
	{regexp.MustCompile(`packed|transpose|panel`), "packing weights"},
	{regexp.MustCompile(`cpu\.\(\*pool\)|cpu\.rest|pause`), "handing out work and waiting"},
}

const (
	products = "products forward and backward to the inputs"
	outers   = "products backward to the weights"
	others   = "everything else"
)

var profileLine = regexp.MustCompile(`^\s*([\d.]+)ms\s+[\d.]+%\s+[\d.]+%\s+[\d.]+ms\s+[\d.]+%\s+(.+)$`)

// parseProfile groups the flat times of go tool pprof -top.
func parseProfile(top string, step bench.StepResult) (profile, error) {
	times, total := map[string]float64{}, 0.0
	for line := range strings.Lines(top) {
		m := profileLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return profile{}, err
		}
		times[kindOf(m[2])] += ms
		total += ms
	}
	if total == 0 {
		return profile{}, errors.New("the profile of a step is empty")
	}
	p := profile{step: step, samples: total}
	for what, ms := range times {
		p.parts = append(p.parts, part{what, ms / total})
	}
	slices.SortFunc(p.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.share, a.share), strings.Compare(a.what, b.what))
	})
	return p, nil
}

func kindOf(routine string) string {
	for _, k := range kinds {
		if k.pattern.MatchString(routine) {
			return k.what
		}
	}
	return others
}

// floating is the operations of a step in one kind of routine.
func (p profile) floating(what string) float64 {
	sizes := slices.Concat([]int{p.step.Cols}, p.step.Hidden, []int{1})
	forward := 0
	for i, width := range sizes[1:] {
		forward += sizes[i] * width
	}
	perSample := 0
	switch what {
	case outers:
		perSample = 2 * forward
	case products:
		perSample = 2 * (2*forward - sizes[0]*sizes[1])
	}
	return float64(perSample * p.step.Batch)
}

// lines say in ten lines at most what a step's time is and what its limit would be.
func (p profile) lines() []string {
	s := p.step
	took := float64(s.Batch) / s.SamplesPerSecond * 1e6
	lines := []string{fmt.Sprintf("A step of the DNN at batch %d takes %.0f µs on one thread of %s: %.1f GFlop/s.", s.Batch, took, s.Device, s.GFlops)}
	if s.PeakGFlops > 0 {
		limit := took * s.PeakShare
		lines = append(lines, fmt.Sprintf("At the measured limit of %.1f GFlop/s its products alone would take %.0f µs; what is left between them is %.0f µs:", s.PeakGFlops, limit, took-limit))
	}
	rest := 1.0
	for i, part := range p.parts {
		if i == 6 {
			break
		}
		rest -= part.share
		line := fmt.Sprintf("%s: %.0f µs (%.1f %%)", part.what, took*part.share, 100*part.share)
		if operations := p.floating(part.what); operations > 0 && s.PeakGFlops > 0 {
			limit := operations / s.PeakGFlops / 1e3
			line += fmt.Sprintf(", of which %.0f µs at the limit and %.0f µs beyond", limit, took*part.share-limit)
		}
		lines = append(lines, line+".")
	}
	if rest > 5e-4 {
		lines = append(lines, fmt.Sprintf("the rest: %.0f µs (%.1f %%).", took*rest, 100*rest))
	}
	return append(lines, fmt.Sprintf("Shares are of %.1f s of profile (pprof, flat) below Train.", p.samples/1e3))
}
