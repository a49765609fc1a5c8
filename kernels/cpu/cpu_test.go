package cpu_test

import (
	"runtime"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/kernelstest"
)

func TestConformance(t *testing.T) { kernelstest.Run(t, cpu.New()) }

// A step must not allocate, nor may scoring, whatever the number of threads.
func TestStepAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 4} {
		previous := runtime.GOMAXPROCS(threads)
		m := newMachine(t, kernelstest.DNN(64), 1000)
		runtime.GOMAXPROCS(previous)
		rows := make([]int32, 64)
		dst := make([]float32, len(rows))
		batch := kernels.Batch{Rows: rows, Seed: 1, LearningRate: 1e-4}
		if n := testing.AllocsPerRun(5, func() {
			batch.Step++
			if _, err := m.Train(batch); err != nil {
				t.Fatal(err)
			}
			if err := m.Predict(rows, dst); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%d threads: %v allocations a step", threads, n)
		}
	}
}

func TestName(t *testing.T) {
	if name := cpu.New().Name(); name != "cpu/plain" {
		t.Errorf("Name is %q", name)
	}
}

func FuzzPrograms(f *testing.F) { kernelstest.Fuzz(f, cpu.New()) }
