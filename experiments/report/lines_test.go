package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/store"
	"flowbench/experiments/study"
	"flowbench/train"
)

var update = flag.Bool("update", false, "write the golden files again")

// clock is a time of day that a test sets.
type clock struct{ now time.Time }

func newClock() *clock                 { return &clock{time.Unix(1_700_000_000, 0)} }
func (c *clock) time() time.Time       { return c.now }
func (c *clock) after(d time.Duration) { c.now = c.now.Add(d) }

// trials are as many as there are letters: p is planned, r runs, s is stale, d is
// done, f failed, v diverged.
func trials(states string) study.Progress {
	meaning := map[rune]struct {
		state  store.State
		reason string
	}{
		'p': {store.Planned, ""},
		'r': {store.Running, ""},
		's': {store.Stale, "the lease of worker vm/1/0.0 ran out"},
		'd': {store.Done, ""},
		'f': {store.Failed, "attempt failed 3 of 3 times: no such instruction"},
		'v': {store.Diverged, "loss NaN at step 12"},
	}
	var p study.Progress
	for i, letter := range states {
		m, ok := meaning[letter]
		if !ok {
			panic("report: no state is called " + string(letter))
		}
		p.Trials = append(p.Trials, study.TrialProgress{
			Index: i, Name: fmt.Sprintf("dnn-%d, replicate 0", i), State: m.state, Reason: m.reason, MaxEpochs: 8,
		})
	}
	return p
}

// TestLines shows a sweep that begins anew, and one that goes on.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	for _, sweep := range [][]string{
		{"pppp", "rrpp", "rrpp", "drrp", "dsrp", "drrp", "ddvr", "ddvf"},
		{"drpdp", "dddrr", "ddddd"},
		{"dd"},
		{""},
	} {
		clock := newClock()
		lines := NewLines(&out, clock.time)
		for _, states := range sweep {
			lines.Show(trials(states))
			clock.after(1500 * time.Millisecond)
		}
		fmt.Fprintln(lines, "worker vm/1/0.0 died (signal: killed); its trial goes back to the plan")
		lines.Close()
		fmt.Fprintln(&out, "--")
	}
	golden(t, "testdata/lines.txt", out.Bytes())
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// TestLinesAreWhole lets workers speak while trials end, under the race detector.
func TestLinesAreWhole(t *testing.T) {
	var out bytes.Buffer
	lines := NewLines(&out, time.Now)
	var speakers sync.WaitGroup
	for range 4 {
		speakers.Go(func() {
			for range 100 {
				fmt.Fprintln(lines, "a worker says this")
			}
		})
	}
	for i := range 100 {
		lines.Show(trials(strings.Repeat("d", i) + "r" + strings.Repeat("p", 99-i)))
	}
	speakers.Wait()
	said := 0
	for line := range strings.Lines(out.String()) {
		switch {
		case line == "a worker says this\n":
			said++
		case strings.Contains(line, "worker"):
			t.Errorf("torn: %q", line)
		}
	}
	if said != 400 {
		t.Errorf("%d of 400 lines came whole", said)
	}
}

// epochs has every running trial finish that many epochs.
func epochs(p study.Progress, n int) study.Progress {
	for i, t := range p.Trials {
		if t.State == store.Running {
			p.Trials[i].Epochs = n
			p.Trials[i].Last = &train.EpochMetrics{Epoch: n, Values: map[string]float64{
				"train.loss": 1 / float64(n), "validation.average_precision": 0.5,
			}}
		}
	}
	return p
}
