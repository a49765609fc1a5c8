package study

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/spec"
	"flowbench/experiments/store"
)

const adaptiveSpec = "testdata/adaptive.yaml"

// simulation plays the workers of a study without training: what a trial reaches
// is a function of its parameters and its seed, and chance decides who claims
// when, who loses a claim, and what fails.
type simulation struct {
	t      *testing.T
	study  *Study
	random *rand.Rand
	held   []*store.Claim
	now    time.Time
}

func simulate(t *testing.T, s *spec.Spec, chance uint64) *Study {
	t.Helper()
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	st, err := Create(filepath.Join(t.TempDir(), "study"), s, plan, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	m := &simulation{t: t, study: st, random: rand.New(rand.NewPCG(chance, 1)), now: time.Unix(1e9, 0)}
	for step := 0; ; step++ {
		if over, err := st.over(t.Context()); err != nil || over {
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		if step > 100*len(plan.Trials) {
			t.Fatalf("chance %d: the study does not end: %s", chance, standingText(t, st))
		}
		m.step()
	}
}

// step claims a trial, ends a claim, or loses one.
func (m *simulation) step() {
	m.now = m.now.Add(time.Second)
	const workers = 4
	if len(m.held) < workers && m.random.IntN(2) == 0 {
		m.must(m.study.conduct(m.t.Context()))
		claim, err := m.study.Store.Claim(m.t.Context(), fmt.Sprint("worker ", m.random.IntN(workers)), time.Hour, m.now)
		m.must(err)
		if claim != nil {
			m.held = append(m.held, claim)
		}
		return
	}
	if len(m.held) == 0 {
		return
	}
	i := m.random.IntN(len(m.held))
	claim := m.held[i]
	m.held = slices.Delete(m.held, i, i+1)
	if m.random.IntN(5) == 0 {
		m.must(m.study.Store.Release(m.t.Context(), claim))
		return
	}
	m.end(claim)
}

// end brings a claim to the next rung or to the trial's end.
func (m *simulation) end(claim *store.Claim) {
	ctx := m.t.Context()
	if epoch := m.study.until(claim); epoch > 0 {
		v := m.reached(claim.Trial, epoch)
		m.must(m.study.Store.Report(ctx, claim, store.Report{Trial: claim.Trial, Rung: claim.Rung, Epoch: epoch, Value: &v, At: m.now}))
		return
	}
	end := store.End{State: store.Done}
	if m.reached(claim.Trial, 1000) < 0.1 {
		end.State = store.Diverged
	}
	raw, err := json.Marshal(map[string]float64{m.study.Plan.Metric.Name: m.reached(claim.Trial, 100)})
	m.must(err)
	end.Result = raw
	m.must(m.study.Store.Finish(ctx, claim, end, m.now))
}

// reached is what a trial has after some epochs.
func (m *simulation) reached(trial, epoch int) float64 {
	run, err := m.study.Run(trial)
	m.must(err)
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", run.Canonical(), epoch)
	return float64(h.Sum64()>>11) / (1 << 53)
}

func (m *simulation) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// standingText is all that a study decided, and how its trials ended.
func standingText(t *testing.T, st *Study) string {
	t.Helper()
	s, err := st.standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, g := range s.suggestions {
		fmt.Fprintf(&b, "suggestion %d: %s from %s\n", g.Configuration, g.Params, g.Saw)
	}
	for c := range st.Plan.Configurations {
		for k := 0; ; k++ {
			d, ok := s.decisions[rung{c, k}]
			if !ok {
				break
			}
			fmt.Fprintf(&b, "decision %d at %d: %v %s\n", c, k, d.Continue, d.Reason)
		}
	}
	for _, trial := range s.trials {
		fmt.Fprintf(&b, "trial %d: %s %s\n", trial.Index, trial.State, trial.Result)
	}
	return b.String()
}

// TestNothingDependsOnWhoWasFaster: whatever the order in which workers claim,
// report, lose and end trials, a study decides and suggests the same.
func TestNothingDependsOnWhoWasFaster(t *testing.T) {
	for _, set := range [][]string{
		nil,
		{"sweep.early_terminate.type=hyperband"},
		{"sweep.early_terminate.type=median", "sweep.early_terminate.every=2"},
		{"sweep.concurrency=1"},
	} {
		s := loadAdaptive(t, set...)
		want := standingText(t, simulate(t, s, 0))
		if !strings.Contains(want, "pruned") || !strings.Contains(want, "true") {
			t.Fatalf("%v: the study decides nothing:\n%s", set, want)
		}
		for chance := range uint64(3) {
			if diff := cmp.Diff(want, standingText(t, simulate(t, s, 1+chance))); diff != "" {
				t.Fatalf("%v, chance %d (-first +this):\n%s", set, 1+chance, diff)
			}
		}
	}
}

// loadAdaptive reads the spec, without what only ASHA and Hyperband take where it
// is set to another rule.
func loadAdaptive(t *testing.T, set ...string) *spec.Spec {
	t.Helper()
	raw, err := os.ReadFile(adaptiveSpec)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if slices.ContainsFunc(set, func(s string) bool { return strings.HasSuffix(s, "median") }) {
		text = strings.Replace(text, ", eta: 3", "", 1)
	}
	s, err := spec.Parse(adaptiveSpec, []byte(text), set...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
