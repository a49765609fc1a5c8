package spec

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/train"
)

// The rules of EarlyTerminate.Type.
const (
	ASHA      = "asha"      // Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020
	Hyperband = "hyperband" // Li et al., Hyperband, JMLR 18(185), 2018
	Median    = "median"    // Golovin et al., Google Vizier, KDD 2017
)

// EarlyTerminate says how configurations that do badly are ended before their
// last epoch. They are judged at rungs, which are numbers of epochs; those of an
// ensemble count the epochs of its first network. Detectors, which are fitted at
// once, have no rungs and are never ended early.
type EarlyTerminate struct {
	Type string `yaml:"type" json:"type"`
	// MinEpochs is the first rung.
	MinEpochs int `yaml:"min_epochs" json:"min_epochs"`
	// Eta is what separates the rungs of asha and hyperband, and of so many
	// configurations one goes on.
	Eta int `yaml:"eta" json:"eta,omitempty"`
	// Every is how many epochs lie between two rungs of median.
	Every int `yaml:"every" json:"every,omitempty"`
	// Startup is against how many others median judges at least.
	Startup int `yaml:"startup" json:"startup,omitempty"`
}

// TPE are the options of the tree-structured Parzen estimator.
type TPE struct {
	// Startup is how many configurations are spread evenly before the first is suggested.
	Startup int `yaml:"startup" json:"startup"`
	// Candidates is how many values each suggested one is the best of.
	Candidates int `yaml:"candidates" json:"candidates"`
	// Gamma is the share of the configurations seen that count as good.
	Gamma float64 `yaml:"gamma" json:"gamma"`
}

// DefaultTPE are the options where a spec gives none. Gamma is that of Bergstra
// et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011; the two
// numbers are those of Optuna's TPESampler, whose 24 candidates are hyperopt's.
func DefaultTPE() TPE { return TPE{Startup: 10, Candidates: 24, Gamma: 0.15} }

const (
	defaultConcurrency = 8 // enough for the GPUs of one machine; more would leave TPE less to see
	defaultEta         = 3 // Li et al. 2018, section 2.6: 3 or 4
	defaultStartup     = 5 // of median: Optuna's MedianPruner
)

func adaptiveRules() []train.Rule {
	return []train.Rule{
		{Field: "sweep.concurrency", Range: train.Between(1, maxReplicates), Doc: "configurations that tpe has in flight: it suggests one once all but so many before it have ended"},
		{Field: "sweep.tpe.startup", Range: train.Between(1, maxConfigurations), Doc: "configurations spread evenly before the first is suggested"},
		{Field: "sweep.tpe.candidates", Range: train.Between(1, 10_000), Doc: "values that each suggested one is the best of"},
		{Field: "sweep.tpe.gamma", Range: &train.Range{Max: 1, OpenMin: true, OpenMax: true}, Doc: "share of the configurations seen that count as good"},
		{Field: "sweep.early_terminate.type", OneOf: []string{ASHA, Hyperband, Median}, Doc: "how configurations that do badly are ended early"},
		{Field: "sweep.early_terminate.min_epochs", Range: train.Between(1, 1<<20), Doc: "epochs before the first judgement"},
		{Field: "sweep.early_terminate.eta", Range: train.Between(2, 1000), Doc: "asha, hyperband: factor between judgements, and of so many one goes on"},
		{Field: "sweep.early_terminate.every", Range: train.Between(1, 1<<20), Doc: "median: epochs between judgements"},
		{Field: "sweep.early_terminate.startup", Range: train.Between(1, maxConfigurations), Doc: "median: others that a configuration is judged against at least"},
	}
}

// checkAdaptive fills in what tpe works by.
func (s *Sweep) checkAdaptive(v value, path string) *Error {
	if s.Method != "tpe" {
		for _, key := range []string{"concurrency", "tpe"} {
			if e, ok := v.find(key); ok {
				return e.keyAt.errorf(path+"."+key, "has an effect only where method is tpe, here it is %s: leave it out", s.Method)
			}
		}
		return nil
	}
	if s.Concurrency == 0 {
		s.Concurrency = defaultConcurrency
	}
	options, given := DefaultTPE(), s.TPE
	if given == nil {
		s.TPE = &options
		return nil
	}
	setNumber(&given.Startup, options.Startup)
	setNumber(&given.Candidates, options.Candidates)
	if given.Gamma == 0 {
		given.Gamma = options.Gamma
	}
	return nil
}

// setNumber gives what was not written its default; 0 is outside its rule.
func setNumber(to *int, n int) {
	if *to == 0 {
		*to = n
	}
}

// checkTerminate fills in the defaults of the kind of early termination, and
// refuses what the kind does not read.
func (s *Sweep) checkTerminate(v value, path string) *Error {
	e, path := s.EarlyTerminate, path+".early_terminate"
	if e == nil {
		return nil
	}
	written, _ := v.find("early_terminate")
	if e.Type == "" {
		return written.keyAt.errorf(path+".type", "is missing: write one of %s, %s, %s", ASHA, Hyperband, Median)
	}
	unread := []string{"every", "startup"}
	if e.Type == Median {
		unread = []string{"eta"}
	}
	for _, key := range unread {
		if k, ok := written.value.find(key); ok {
			return k.keyAt.errorf(path+"."+key, "means nothing to %s: leave it out", e.Type)
		}
	}
	setNumber(&e.MinEpochs, 1)
	if e.Type == Median {
		setNumber(&e.Every, 1)
		setNumber(&e.Startup, defaultStartup)
	} else {
		setNumber(&e.Eta, defaultEta)
	}
	if !slices.Contains(train.EarlyStopMetrics(), s.Metric.Name) {
		return written.keyAt.errorf(path, "judges by what is measured after every epoch, which %s is not: rank by one of %s, or leave early_terminate out",
			s.Metric.Name, strings.Join(train.EarlyStopMetrics(), ", "))
	}
	return nil
}

// checkRungs makes sure that early termination, written in the section sweep,
// has an epoch at which it could end a configuration.
func (s *Spec) checkRungs(sweep value) *Error {
	if s.Sweep == nil || s.Sweep.EarlyTerminate == nil {
		return nil
	}
	const path = "sweep.early_terminate"
	written, _ := sweep.find("early_terminate")
	if s.maxEpochs == 0 {
		return written.keyAt.errorf(path, "ends trials between epochs, but all that this sweep runs are detectors, which are fitted at once: leave it out")
	}
	if first := s.Sweep.EarlyTerminate.MinEpochs; first >= s.maxEpochs {
		return written.value.place("min_epochs").errorf(path+".min_epochs", "is %d, but no configuration trains longer than %s, so none could be ended early: write fewer, or more train.epochs",
			first, plural(s.maxEpochs, "epoch"))
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// MaxEpochs is the most epochs that any configuration of s trains, those of an
// ensemble counted for its first network; 0 where all are detectors.
func (s *Spec) MaxEpochs() int { return s.maxEpochs }
