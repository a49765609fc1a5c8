package study

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flowbench/data/prepared"
	"flowbench/experiments/dataset"
	"flowbench/experiments/search"
	"flowbench/experiments/spec"
	"flowbench/kernels"
	"flowbench/train"
)

// Estimate is what a study will cost, by one epoch of its first network, which
// was trained and thrown away.
type Estimate struct {
	Measured string        // the configuration that was trained
	Device   string        // on which
	Epoch    time.Duration // of one epoch, validation included
	Epochs   float64       // such epochs in all, where every trial trains to its end
	Likely   float64       // and where as many are pruned as the rungs mean to
	Rungs    []int         // of the measured configuration
	Rule     string        // by which configurations are pruned; empty: none are
	Fitted   int           // trials of detectors, which are not in the estimate
	Trial    int64         // bytes that a trial has on the disk while it trains
	Kept     int64         // bytes that it keeps
	Trials   int           // of networks
	Flows    int64         // bytes of the prepared flows
}

// NewEstimate trains the first network of the plan for one epoch in a folder of
// its own, which it removes.
func NewEstimate(ctx context.Context, s *spec.Spec, plan *Plan, backend kernels.Backend) (*Estimate, error) {
	dir, err := os.MkdirTemp("", "flowbench-estimate-")
	if err != nil {
		return nil, fmt.Errorf("estimate: %w", err)
	}
	defer os.RemoveAll(dir)
	e := &Estimate{Device: backend.Name()}
	if err := e.count(s, plan); err != nil || e.Trials == 0 {
		return e, err
	}
	run, name, err := plan.firstNetwork()
	if err != nil {
		return nil, err
	}
	e.Measured = name
	return e, e.measure(ctx, run, backend, dir)
}

// firstNetwork is the first configuration of the plan that trains a network.
func (p *Plan) firstNetwork() (*spec.Run, string, error) {
	for _, c := range p.Configurations {
		if c.run != nil && isNetwork(c) {
			run := c.run.Replicate(0, p.Trials[p.trialsOf(0)[0]].Seed)
			return &run, c.Name, nil
		}
	}
	chosen, err := search.Suggest(p.versions[0].Sweep, 0, nil, nil)
	if err != nil {
		return nil, "", err
	}
	c, err := p.resolve(0, chosen)
	if err != nil {
		return nil, "", err
	}
	return c.run, c.Name, nil
}

func isNetwork(c Configuration) bool { return !c.Baseline && !train.IsDetector(c.Model) }

// count adds up the epochs of the plan in units of the first network's: an epoch
// costs what its network's products do. A configuration that is still to be
// suggested counts as the first one.
func (e *Estimate) count(s *spec.Spec, plan *Plan) error {
	first, _, err := plan.firstNetwork()
	if err != nil {
		return err
	}
	unit := products(first)
	for i, c := range plan.Configurations {
		replicates := len(plan.trialsOf(i))
		run := c.run
		switch {
		case c.Baseline:
			continue
		case run == nil:
			run = first
		case !isNetwork(c):
			e.Fitted += replicates
			continue
		}
		e.Trials += replicates
		each := float64(replicates) * products(run) / unit
		epochs := float64(run.Train.Epochs)
		e.Epochs += each * epochs * float64(run.Model.Ensemble)
		e.Likely += each * (plan.likelyEpochs(i-plan.baselines(), run.Train.Epochs) + epochs*float64(run.Model.Ensemble-1))
	}
	if plan.pruner != nil {
		e.Rule, e.Rungs = s.Sweep.EarlyTerminate.Type, plan.pruner.Rungs(0, first.Train.Epochs)
	}
	return nil
}

// likelyEpochs is how many epochs the first network of a trial has, on average
// over configurations of which each rung lets through one in eta, or, by the
// median rule, half in all.
func (p *Plan) likelyEpochs(i, epochs int) float64 {
	if p.pruner == nil {
		return float64(epochs)
	}
	rungs := p.pruner.Rungs(i, epochs)
	e := p.versions[0].Sweep.EarlyTerminate
	through := 1 / float64(max(e.Eta, 2))
	if e.Type == "median" {
		through = math.Pow(0.5, 1/float64(max(len(rungs), 1)))
	}
	sum, share, at := 0.0, 1.0, 0
	for _, r := range append(rungs, epochs) {
		sum += share * float64(r-at)
		share, at = share*through, r
	}
	return sum
}

// products is how many multiply-adds a sample takes in the hidden layers and
// between them: what networks of one input differ by.
func products(run *spec.Run) float64 {
	const columns = 78 // of the flows, near enough for a ratio
	sum, width := 0.0, columns
	for _, h := range run.Model.Hidden {
		sum, width = sum+float64(width*h), h
	}
	return sum + float64(width)
}

// measure prepares the flows in dir and trains run there for an epoch.
func (e *Estimate) measure(ctx context.Context, run *spec.Run, backend kernels.Backend, dir string) error {
	set, err := dataset.Open(ctx, run.Data, filepath.Join(dir, dataName), nil)
	if err != nil {
		return err
	}
	defer set.Close()
	if e.Flows, err = folderBytes(filepath.Join(dir, dataName)); err != nil {
		return err
	}
	return e.train(ctx, run, set, backend, dir)
}

func (e *Estimate) train(ctx context.Context, run *spec.Run, set *prepared.Set, backend kernels.Backend, dir string) error {
	data, err := dataset.New(set, run.Data)
	if err != nil {
		return err
	}
	trialDir := filepath.Join(dir, "trial")
	if err := os.Mkdir(trialDir, 0o755); err != nil {
		return fmt.Errorf("estimate: %w", err)
	}
	config := run.Config
	config.Train.Epochs = max(2, config.Train.Epochs) // so that it pauses and does not end
	began := time.Now()
	trial := &train.Trial{
		Config: config, Data: data.Data, Seed: run.Seed, Backend: backend, Dir: trialDir,
		Fingerprint: "estimate", Until: 1, Log: io.Discard,
	}
	if _, err := trial.Run(ctx); err != nil {
		return fmt.Errorf("estimate: training %s for an epoch: %w", e.Measured, err)
	}
	e.Epoch = time.Since(began)
	if e.Trial, err = folderBytes(trialDir); err != nil {
		return err
	}
	// While it trains a trial has two checkpoints beside the best weights, which are
	// a third of a checkpoint with Adam's moments.
	e.Kept = e.Trial / 4
	e.Trial *= 2
	return nil
}

func folderBytes(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("estimate: %w", err)
	}
	return sum, nil
}

// Disk is how many bytes the study needs with so many workers.
func (e *Estimate) Disk(workers int) int64 {
	return e.Flows + e.Kept*int64(e.Trials) + e.Trial*int64(workers)
}

// Write tells it in words, for so many workers and a study in dir.
func (e *Estimate) Write(w io.Writer, workers int, dir string) error {
	var b strings.Builder
	if e.Rule != "" {
		fmt.Fprintf(&b, "\nrungs: configurations are judged at epochs %s (%s)\n", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(e.Rungs)), ", "), "[]"), e.Rule)
	}
	if e.Trials > 0 {
		fmt.Fprintf(&b, "\nmeasured: an epoch of %s takes %s alone on %s\n", e.Measured, e.Epoch.Round(time.Millisecond), e.Device)
		fmt.Fprintf(&b, "time: about %s of workers' time for %d trials of networks trained to their ends, %s with %d workers at the speed of one\n",
			rounded(e.Epoch, e.Epochs), e.Trials, rounded(e.Epoch, e.Epochs/float64(workers)), workers)
		if e.Likely < e.Epochs {
			fmt.Fprintf(&b, "with pruning: likely %.0f %% of that\n", 100*e.Likely/e.Epochs)
		}
	}
	if e.Fitted > 0 {
		fmt.Fprintf(&b, "%d trials of detectors come on top: their fits are not estimated\n", e.Fitted)
	}
	fmt.Fprintf(&b, "disk: about %.1f MB (flows %.1f MB, each trial %.2f MB while it trains and %.2f MB after); %d MB are free\n",
		megabytes(e.Disk(workers)), megabytes(e.Flows), megabytes(e.Trial), megabytes(e.Kept), freeSpace(nearest(dir))>>20)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("estimate: %w", err)
	}
	return nil
}

// nearest is dir or the folder above it that is there.
func nearest(dir string) string {
	if above := missing(dir); len(above) > 0 {
		return filepath.Dir(above[len(above)-1])
	}
	return dir
}

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func rounded(unit time.Duration, times float64) time.Duration {
	d := time.Duration(float64(unit) * times)
	switch {
	case d > 10*time.Hour:
		return d.Round(time.Hour)
	case d > 10*time.Minute:
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}
