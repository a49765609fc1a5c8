// Package tensorboard writes what a trial learned as TensorBoard event files:
// the curves of its epochs, its results, and its parameters for the table of
// hyperparameters. `tensorboard --logdir runs/demo/trials` shows them.
//
// A file is TFRecords of Event messages (tensorflow/core/util/event.proto),
// written field by field. Events have times of day, which come from a clock that
// is passed in; nothing else of a trial depends on them.
package tensorboard

import (
	"maps"
	"slices"
	"time"

	"flowbench/train"
)

// FileName is the name of the event file in a trial's folder. TensorBoard reads
// every file with "tfevents" in its name.
const FileName = "events.out.tfevents.flowbench"

// resultPrefix keeps results apart from the curves of the same figures.
const resultPrefix = "result/"

// Session is what a trial was given.
type Session struct {
	// Group is the configuration: trials of one group differ in their seed.
	Group string
	// Parameters are values by name: strings, bools, finite numbers, and what else
	// JSON can say, which is shown as text.
	Parameters map[string]any
}

// endEvents are the results and the end of a trial.
func endEvents(at time.Time, step int, results map[string]float64, status Status) [][]byte {
	events := [][]byte{endEvent(at, status)}
	if len(results) == 0 {
		return events
	}
	return slices.Concat([][]byte{scalars(at, int64(step), resultPrefix, results)}, events)
}

// written is the epochs that a file has, by member.
type written map[epoch]bool

type epoch struct{ member, epoch int }

// add notes an epoch; it is false for one that was there.
func (w written) add(m train.EpochMetrics) bool {
	e := epoch{m.Member, m.Epoch}
	if w[e] {
		return false
	}
	w[e] = true
	return true
}

// last is the highest epoch, 0 where there is none.
func (w written) last() int {
	last := 0
	for e := range maps.Keys(w) {
		last = max(last, e.epoch)
	}
	return last
}
