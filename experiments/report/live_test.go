package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"flowbench/experiments/study"
)

// screen is a terminal's stand-in that may be written to at any time.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestLiveStandsAnySequence shows sweeps that begin, go on, lose workers and end,
// in an order that no real one would have, while workers speak; each must
// come to its end without a panic, a race or a bar that waits for ever.
func TestLiveStandsAnySequence(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for sweep := range 20 {
		live := NewLive(&screen{})
		var speakers sync.WaitGroup
		speakers.Go(func() {
			for range 20 {
				fmt.Fprintln(live, "a worker says this")
			}
		})
		n := sweep % 7
		for range 30 {
			states := make([]byte, n)
			for i := range states {
				states[i] = "prsdfv"[random.IntN(6)]
			}
			p := epochs(trials(string(states)), 1+random.IntN(10)) // more than there should be, too
			if n > 0 && random.IntN(4) == 0 {
				p.Trials[0].MaxEpochs = 0 // a baseline
			}
			live.Show(p)
		}
		speakers.Wait()
		live.Close()
	}
}

func TestLiveThatShowsNothingCloses(t *testing.T) {
	NewLive(&screen{}).Close()
	live := NewLive(&screen{})
	live.Show(study.Progress{})
	live.Close()
}

func TestLiveRefusesWordsAfterItsEnd(t *testing.T) {
	live := NewLive(&screen{})
	live.Show(trials("rp"))
	live.Close()
	if _, err := live.Write([]byte("late\n")); err == nil {
		t.Error("no error")
	}
}

func TestFigures(t *testing.T) {
	p := epochs(trials("r"), 4)
	if got, want := figures(p.Trials[0].Last.Values), "train loss 0.25, validation AP 0.500"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	delete(p.Trials[0].Last.Values, "validation.average_precision")
	if got, want := figures(p.Trials[0].Last.Values), "train loss 0.25"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBytes: a log gets no line before ten seconds have passed, a terminal a bar.
func TestBytes(t *testing.T) {
	var log bytes.Buffer
	b := NewBytes(&log, false, "reading")
	b.Show(1<<20, 2<<20)
	b.last = b.last.Add(-2 * logEvery)
	b.Show(1<<20, 2<<20)
	b.last = b.last.Add(-2 * logEvery)
	b.Show(3<<20, 0)
	b.Close()
	if got, want := log.String(), "reading: 1 of 2 MiB\nreading: 3 MiB\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, total := range []int64{0, 1 << 20} {
		bar := NewBytes(&screen{}, true, "reading")
		for done := int64(0); done <= 1<<20; done += 1 << 18 {
			bar.Show(done, total)
		}
		bar.Close()
		NewBytes(&screen{}, true, "reading").Close()
	}
}
