package cpu_test

import (
	"runtime"
	"strings"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/kernelstest"
)

// open is the backend at a level that this processor has.
func open(tb testing.TB, level string) kernels.Backend {
	tb.Helper()
	b, err := cpu.Open(level)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	for _, level := range cpu.Levels() {
		t.Run(level, func(t *testing.T) { kernelstest.Run(t, open(t, level)) })
	}
}

// A step must not allocate, nor may scoring, whatever the number of threads.
func TestStepAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 4} {
		previous := runtime.GOMAXPROCS(threads)
		m := newMachine(t, kernelstest.Regularized(64), 1000)
		runtime.GOMAXPROCS(previous)
		rows := make([]int32, 64)
		dst := make([]float32, len(rows))
		given := kernels.Batch{Rows: rows, Seed: 1, LearningRate: 1e-4}
		drawn := kernels.Batch{Order: &kernels.Order{Rows: rows, Batch: 64}, Count: 64, Seed: 1, LearningRate: 1e-4}
		if n := testing.AllocsPerRun(5, func() {
			given.Step++
			drawn.Step++
			for _, b := range []kernels.Batch{given, drawn} {
				if _, err := m.Train(b); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Predict(rows, dst); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%d threads: %v allocations a step", threads, n)
		}
	}
}

func TestOpen(t *testing.T) {
	levels := cpu.Levels()
	for _, level := range levels {
		if name := open(t, level).Name(); name != "cpu/"+level {
			t.Errorf("level %s is called %q", level, name)
		}
	}
	best := "cpu/" + levels[len(levels)-1]
	if auto := open(t, "auto").Name(); auto != best || cpu.New().Name() != best {
		t.Errorf("auto opens %q and New %q, want %q", auto, cpu.New().Name(), best)
	}
	if _, err := cpu.Open("sse9"); err == nil || !strings.Contains(err.Error(), `"sse9", want auto, plain, avx2, avx512`) {
		t.Errorf("an unknown level: %v", err)
	}
}

func FuzzPrograms(f *testing.F) { kernelstest.Fuzz(f, cpu.New()) }
