package train

import (
	"math"
	"testing"
)

func TestLearningRate(t *testing.T) {
	// Ten epochs of four steps at rate 1.
	cases := []struct {
		name     string
		schedule ScheduleConfig
		step     int
		want     float64
	}{
		{"constant, first", ScheduleConfig{Kind: "constant"}, 0, 1},
		{"constant, last", ScheduleConfig{Kind: "constant"}, 39, 1},
		{"warm-up, first", ScheduleConfig{Kind: "constant", WarmupEpochs: 2}, 0, 1. / 8},
		{"warm-up, last", ScheduleConfig{Kind: "constant", WarmupEpochs: 2}, 7, 1},
		{"after warm-up", ScheduleConfig{Kind: "constant", WarmupEpochs: 2}, 8, 1},
		{"cosine, first", ScheduleConfig{Kind: "cosine", MinRate: 0.1}, 0, 1},
		{"cosine, last", ScheduleConfig{Kind: "cosine", MinRate: 0.1}, 39, 0.1},
		{"cosine after warm-up, middle", ScheduleConfig{Kind: "cosine", WarmupEpochs: 1, MinRate: 0.2}, 4 + 35, 0.2},
		{"step, before", ScheduleConfig{Kind: "step", StepEpochs: 3, Factor: 0.5}, 11, 1},
		{"step, once", ScheduleConfig{Kind: "step", StepEpochs: 3, Factor: 0.5}, 12, 0.5},
		{"step, twice", ScheduleConfig{Kind: "step", StepEpochs: 3, Factor: 0.5}, 24, 0.25},
	}
	for _, c := range cases {
		got := learningRate(OptimizerConfig{LearningRate: 1, Schedule: c.schedule}, c.step, 4, 10)
		if !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("%s: step %d has rate %v, want %v", c.name, c.step, got, c.want)
		}
	}
}

func TestCosineFallsAllTheWay(t *testing.T) {
	c := OptimizerConfig{LearningRate: 1, Schedule: ScheduleConfig{Kind: "cosine"}}
	last := math.Inf(1)
	for step := range 40 {
		rate := learningRate(c, step, 4, 10)
		if !(rate < last) {
			t.Fatalf("step %d: rate %v does not fall from %v", step, rate, last)
		}
		last = rate
	}
}
