package study

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"flowbench/experiments/search"
	"flowbench/experiments/store"
	"flowbench/kernels/cuda"
	"flowbench/train"
)

// Explanation is all that is known of why a trial is what it is and ended as it did.
type Explanation struct {
	Trial      int      `json:"trial"`
	Name       string   `json:"name"`
	Parameters string   `json:"parameters"`
	State      string   `json:"state"`
	Reason     string   `json:"reason,omitempty"`
	Chosen     string   `json:"chosen"` // why it has these parameters
	Rungs      []Judged `json:"rungs,omitempty"`
	Attempts   []Tried  `json:"attempts,omitempty"`
	Epochs     int      `json:"epochs"`
	Failures   int      `json:"failures"`
	Folder     string   `json:"folder"`
}

// Judged is a rung that a trial has reported.
type Judged struct {
	Epoch    int             `json:"epoch"`
	Value    *float64        `json:"value"` // the trial's own
	Decision string          `json:"decision"`
	Against  json.RawMessage `json:"against,omitempty"` // the figures of the decision
}

// Tried is one attempt.
type Tried struct {
	Attempt int       `json:"attempt"`
	Worker  string    `json:"worker"`
	Device  string    `json:"device,omitempty"`
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	Heard   time.Time `json:"heard"`
	// Ran is what a GPU was and did; nil for the processor.
	Ran *cuda.Record `json:"ran,omitempty"`
}

// Explain says why trial index is what it is.
func (s *Study) Explain(ctx context.Context, index int) (*Explanation, error) {
	if index < 0 || index >= len(s.Plan.Trials) {
		return nil, fmt.Errorf("the study has trials 0 to %d, not %d", len(s.Plan.Trials)-1, index)
	}
	st, err := s.standing(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.take(st.suggestions); err != nil {
		return nil, err
	}
	planned, t := s.Plan.Trials[index], st.trials[index]
	c := s.configuration(planned.Configuration)
	e := &Explanation{
		Trial: index, Name: s.trialName(index), Parameters: c.Params.String(),
		State: string(t.State), Reason: t.Reason, Failures: t.Failures, Folder: s.trialDir(index),
	}
	if e.Chosen, err = s.chosen(st, planned); err != nil {
		return nil, err
	}
	s.explainRungs(e, st, planned)
	if lines, err := train.ReadMetrics(filepath.Join(e.Folder, "metrics.jsonl")); err == nil {
		e.Epochs = len(lines)
	}
	return e, s.explainAttempts(ctx, e)
}

// chosen says where a trial's parameters come from.
func (s *Study) chosen(st *standing, t Trial) (string, error) {
	c := s.configuration(t.Configuration)
	i := t.Configuration - s.Plan.baselines()
	seed := fmt.Sprintf("replicate %d with seed %d", t.Replicate, t.Seed)
	switch {
	case c.Baseline:
		return "a trivial baseline, which stands beside every study; " + seed, nil
	case s.Plan.Single:
		return "the spec as it stands; " + seed, nil
	case !s.Plan.suggests():
		return fmt.Sprintf("configuration %d of the plan (%s search), planned before the first trial; %s", i, s.Spec.Sweep.Method, seed), nil
	case i >= len(st.suggestions):
		return fmt.Sprintf("configuration %d is suggested once enough of those before it have ended", i), nil
	}
	var record seenRecord
	if err := json.Unmarshal(st.suggestions[i].Saw, &record); err != nil {
		return "", fmt.Errorf("study: what suggestion %d saw: %w", i, err)
	}
	return fmt.Sprintf("configuration %d, suggested by %s from %s and %d under way; %s",
		i, s.Spec.Sweep.Method, seen(record.Observed), len(record.Pending), seed), nil
}

// seen says what observations a suggestion was drawn from.
func seen(observed []search.Observation) string {
	if len(observed) == 0 {
		return "no finished configuration"
	}
	words := make([]string, len(observed))
	for i, o := range observed {
		words[i] = fmt.Sprintf("%d: ", o.Configuration)
		switch {
		case o.Value == nil:
			words[i] += "failed"
		case o.Epochs > 0:
			words[i] += fmt.Sprintf("%.4g, pruned after %d epochs", *o.Value, o.Epochs)
		default:
			words[i] += fmt.Sprintf("%.4g", *o.Value)
		}
	}
	return fmt.Sprintf("%s (%s)", counted(len(observed), "finished configuration"), strings.Join(words, "; "))
}

func (s *Study) explainRungs(e *Explanation, st *standing, t Trial) {
	epochs := s.rungs(t.Configuration)
	for k, v := range st.reports[t.Index] {
		j := Judged{Epoch: epochs[k], Value: v, Decision: "not decided yet: configurations before it have still to report here"}
		if d, ok := st.decisions[rung{t.Configuration, k}]; ok {
			j.Decision, j.Against = "pruned: "+d.Reason, d.Against
			if d.Continue {
				j.Decision = "goes on: " + d.Reason
			}
		}
		e.Rungs = append(e.Rungs, j)
	}
}

func (s *Study) explainAttempts(ctx context.Context, e *Explanation) error {
	attempts, err := s.Store.Attempts(ctx, e.Trial)
	if err != nil {
		return err
	}
	workers, err := s.Store.Workers(ctx)
	if err != nil {
		return err
	}
	devices := map[string]string{}
	for _, w := range workers {
		devices[w.Name] = w.Device
	}
	ran, err := readRan(e.Folder)
	if err != nil {
		return err
	}
	records := map[int]*cuda.Record{}
	for i := range ran {
		records[ran[i].Attempt] = &ran[i].Record
	}
	for _, a := range attempts {
		e.Attempts = append(e.Attempts, Tried{
			Attempt: a.Attempt, Worker: a.Worker, Device: devices[a.Worker], State: string(a.State), Reason: a.Reason,
			Started: a.Started.UTC(), Heard: a.Heard.UTC(), Ran: records[a.Attempt],
		})
	}
	return nil
}

// Write tells it in words.
func (e *Explanation) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "trial %04d (%s) is %s%s\n", e.Trial, e.Name, e.State, because(e.Reason))
	if e.Parameters != "" {
		fmt.Fprintf(&b, "parameters: %s\n", e.Parameters)
	}
	fmt.Fprintf(&b, "chosen: %s\n", e.Chosen)
	for _, r := range e.Rungs {
		value := "no figure"
		if r.Value != nil {
			value = fmt.Sprintf("%.6g", *r.Value)
		}
		fmt.Fprintf(&b, "at epoch %d: %s; %s\n", r.Epoch, value, r.Decision)
	}
	for _, a := range e.Attempts {
		fmt.Fprintf(&b, "attempt %d: claimed %s by %s%s, %s after %s%s\n", a.Attempt, a.Started.Format(time.RFC3339), a.Worker,
			on(a.Device), a.State, a.Heard.Sub(a.Started).Round(time.Millisecond), because(a.Reason))
		if a.Ran != nil {
			fmt.Fprintf(&b, "  ran on %v\n", *a.Ran)
		}
	}
	if len(e.Attempts) == 0 {
		fmt.Fprintln(&b, "nobody has claimed it yet")
	}
	fmt.Fprintf(&b, "epochs trained: %d; folder: %s\n", e.Epochs, e.Folder)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("runs why: %w", err)
	}
	return nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func on(device string) string {
	if device == "" {
		return ""
	}
	return " on " + device
}

// stateCounts counts trials by state.
func stateCounts(trials []store.Trial) map[store.State]int {
	counts := map[store.State]int{}
	for _, t := range trials {
		counts[t.State]++
	}
	return counts
}

// counted is a number and what there are so many of.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
