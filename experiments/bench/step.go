package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

// StepCase is one training step to time.
type StepCase struct {
	Network Network
	Batch   int
	Threads int
	// Processes is how many processes do this at once; 0 is this one alone.
	Processes int
	// Width is set where the network is Wide.
	Width int
}

func (c StepCase) String() string {
	s := c.Network.Work
	if c.Width > 0 {
		s += fmt.Sprintf(" %d wide", c.Width)
	}
	s += fmt.Sprintf(", batch %d, %s", c.Batch, plural(c.Threads, "thread"))
	if c.Processes > 0 {
		s += ", " + plural(c.Processes, "process")
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "process" {
		what = "processe"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Steps times training steps.
type Steps struct {
	Backend kernels.Backend
	Matrix  *Matrix
	Cases   []StepCase
	Rounds  int
	During  time.Duration // of one measurement
	// Processes measures a case with Processes; nil where there is none.
	Processes func(ctx context.Context, c StepCase) (float64, error)
	Progress  Progress
}

// Run measures every case in every round. When ctx ends, its error is ctx's.
func (s *Steps) Run(ctx context.Context) ([]StepResult, error) {
	rows := s.Matrix.list()
	rates := make([][]float64, len(s.Cases))
	peaks := map[int]float64{} // by number of threads
	for round := range s.Rounds {
		for i, c := range s.Cases {
			s.Progress.report(round*len(s.Cases)+i, s.Rounds*len(s.Cases), c.String())
			rate, err := s.measure(ctx, c, rows)
			if err != nil {
				return nil, fmt.Errorf("%v: %w", c, err)
			}
			rates[i] = append(rates[i], rate)
		}
		notePeaks(peaks, s.Cases)
	}
	results := make([]StepResult, len(s.Cases))
	for i, c := range s.Cases {
		results[i] = newStepResult(s, c, rates[i], peaks[c.cores()])
	}
	return results, nil
}

func (s *Steps) measure(ctx context.Context, c StepCase, rows []int32) (float64, error) {
	if c.Processes > 0 {
		return s.Processes(ctx, c)
	}
	return trainRate(ctx, s.Backend, c, s.Matrix, rows, s.During)
}

// cores is how many threads run at once in all.
func (c StepCase) cores() int { return c.Threads * max(1, c.Processes) }

// notePeaks measures the processor's limit for every number of threads in use
// and keeps the best seen: it is a limit, and shares of it must not profit from
// a moment when the machine was slow.
func notePeaks(peaks map[int]float64, cases []StepCase) {
	seen := map[int]bool{}
	for _, c := range cases {
		n := c.cores()
		if seen[n] {
			continue
		}
		seen[n] = true
		previous := runtime.GOMAXPROCS(n)
		if flops, ok := cpu.Peak(n); ok {
			peaks[n] = max(peaks[n], flops)
		}
		runtime.GOMAXPROCS(previous)
	}
}
