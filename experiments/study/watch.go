package study

import (
	"context"
	"path/filepath"
	"time"

	"flowbench/experiments/store"
	"flowbench/train"
)

// watchTime is how often a sweep looks at its trials.
const watchTime = 300 * time.Millisecond

// Progress is how the trials of a study stand.
type Progress struct {
	Trials []TrialProgress // in the order of the plan
}

// TrialProgress is how one trial stands.
type TrialProgress struct {
	Index     int
	Name      string // configuration and replicate
	State     store.State
	Reason    string
	Epochs    int                 // finished, over all members
	MaxEpochs int                 // at most; 0 for a baseline or a detector
	Last      *train.EpochMetrics // the last finished epoch; nil before it
	Fit       *train.FitProgress  // of a detector whose fit takes long; else nil
}

// watch tells Watch how the trials stand until ctx ends, and once more then.
func (s *Sweep) watch(ctx context.Context) {
	if s.Watch == nil {
		return
	}
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	for ended := false; ; {
		// A look that fails is made up for by the next one.
		if p, err := s.Study.progress(context.WithoutCancel(ctx), false); err == nil {
			s.Watch(*p)
		}
		if ended {
			return
		}
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
	}
}

// Progress reads how every trial stands.
func (s *Study) Progress(ctx context.Context) (*Progress, error) {
	return s.progress(ctx, true)
}

// Glance is Progress with the epochs of running trials alone, for who looks often.
func (s *Study) Glance(ctx context.Context) (*Progress, error) {
	return s.progress(ctx, false)
}

// progress leaves the epochs out of all but the running trials where all is not
// set: no more than a live view shows, and a few files to read.
func (s *Study) progress(ctx context.Context, all bool) (*Progress, error) {
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	trials, err := s.Store.States(ctx)
	if err != nil {
		return nil, err
	}
	p := &Progress{Trials: make([]TrialProgress, len(trials))}
	for i, t := range trials {
		p.Trials[i] = s.progressOf(t, all || t.State == store.Running)
	}
	return p, nil
}

func (s *Study) progressOf(t store.Trial, epochs bool) TrialProgress {
	c := s.configuration(s.Plan.Trials[t.Index].Configuration)
	p := TrialProgress{Index: t.Index, Name: s.trialName(t.Index), State: t.State, Reason: t.Reason, MaxEpochs: c.maxEpochs()}
	if !epochs {
		return p
	}
	// A file that is not there yet, or being rewritten, is no news.
	lines, err := train.ReadMetrics(filepath.Join(s.trialDir(t.Index), "metrics.jsonl"))
	if err == nil && len(lines) > 0 {
		p.Epochs, p.Last = len(lines), &lines[len(lines)-1]
	}
	if fit, err := train.ReadFitProgress(s.trialDir(t.Index)); err == nil && t.State == store.Running {
		p.Fit = fit
	}
	return p
}

// Ended counts the trials that have ended.
func (p Progress) Ended() int {
	n := 0
	for _, t := range p.Trials {
		if t.State.Ended() {
			n++
		}
	}
	return n
}
