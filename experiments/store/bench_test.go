package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// soaked is a store of a study of 5,000 trials, of which all but the last 100 are done.
func soaked(b *testing.B, open func(t testing.TB) (string, store.Store)) store.Store {
	b.Helper()
	const trials, left = 5000, 100
	url, s := open(b)
	plan := make([]store.PlannedTrial, trials)
	for i := range plan {
		plan[i] = store.PlannedTrial{Index: i, Configuration: i / 5, Replicate: i % 5, Params: json.RawMessage(`{"optimizer.learning_rate": 0.0012345, "model.hidden": [128, 64]}`)}
	}
	if err := s.Create(b.Context(), "soak", "f", plan); err != nil {
		b.Fatal(err)
	}
	for range trials - left {
		c, err := s.Claim(b.Context(), "a", time.Hour, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		end := store.End{State: store.Done, Result: json.RawMessage(`{"validation.average_precision": 0.512345, "test.average_precision": 0.498765}`)}
		if err := s.Finish(b.Context(), c, end, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	through, err := store.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { through.Close() })
	return through
}

// BenchmarkSoaked times what workers and people do most on 5,000 trials.
func BenchmarkSoaked(b *testing.B) {
	for _, kind := range stores {
		s := soaked(b, kind.open)
		b.Run(kind.kind+"/trials", func(b *testing.B) {
			for range b.N {
				if all, err := s.Trials(b.Context()); err != nil || len(all) != 5000 {
					b.Fatal(len(all), err)
				}
			}
		})
		b.Run(kind.kind+"/claim", func(b *testing.B) {
			for i := range b.N {
				c, err := s.Claim(b.Context(), fmt.Sprint("worker", i%4), time.Hour, time.Now())
				if err != nil || c == nil {
					b.Fatal(c, err)
				}
				b.StopTimer()
				if err := s.Release(b.Context(), c); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkClaimFinish is a trial of nothing.
func BenchmarkClaimFinish(b *testing.B) {
	for _, kind := range stores {
		b.Run(kind.kind, func(b *testing.B) {
			_, s := kind.open(b)
			plan := make([]store.PlannedTrial, b.N)
			for i := range plan {
				plan[i].Index = i
			}
			if err := s.Create(b.Context(), "bench", "f", plan); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for range b.N {
				c, err := s.Claim(b.Context(), "a", time.Minute, time.Now())
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Finish(b.Context(), c, store.End{State: store.Done}, time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
