package graph

import (
	"slices"
	"sync"
	"testing"
)

// TestModelsAreBuiltSideBySide: members of an ensemble are built and lowered by
// threads of their own, and each gets what it gets alone. Run by itself under
// the race detector it also watches what gorgonia shares between graphs, which
// is written by the first graph of a process; so nothing is built before.
func TestModelsAreBuiltSideBySide(t *testing.T) {
	n := networks()[18]
	type built struct {
		program string
		weights []float32
	}
	members := make([]built, 8)
	var wait sync.WaitGroup
	for i := range members {
		wait.Go(func() {
			m, err := Build(n.a, n.o, 8)
			if err != nil {
				t.Error(err)
				return
			}
			p, err := m.Lower(adam)
			if err != nil {
				t.Error(err)
				return
			}
			v, err := m.Init(He, 3)
			if err != nil {
				t.Error(err)
				return
			}
			members[i] = built{listing(p), v["dense0.weight"]}
		})
	}
	wait.Wait()
	alone := mustBuild(t, n.a, n.o, 8)
	program, weights := listing(mustLower(t, alone, adam)), mustInit(t, alone, 3)["dense0.weight"]
	for i, m := range members {
		if m.program != program || !slices.Equal(m.weights, weights) {
			t.Errorf("member %d differs from a model built alone", i)
		}
	}
}
