package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"flowbench/train/checkpoint"
	"flowbench/train/detect"
)

// fitSeries is the name of a fit's checkpoints. The last one has what was fitted
// as its Best, and the others have a state of the fit as their Tensors.
const fitSeries = seriesPrefix + "fit"

// fitState is the JSON of a fit's checkpoint.
type fitState struct {
	Fingerprint string `json:"fingerprint"`
	Seed        uint64 `json:"seed"`
	Fitted      bool   `json:"fitted"`
}

// fitting is a fit that checkpoints.
type fitting struct {
	trial  *Trial
	series *checkpoint.Series
	state  *checkpoint.File // between the last two iterations; nil where it is saved
	saved  time.Time
}

// fittedDetector loads what an earlier run of the trial fitted, or fits it, from
// where that was, and saves it. The file is the detector's, with its warnings.
func (t *Trial) fittedDetector(ctx context.Context) (detect.Detector, *checkpoint.File, error) {
	f := &fitting{trial: t, series: checkpoint.OpenSeries(t.disk(), t.Dir, fitSeries), saved: t.time()}
	var state fitState
	c, err := t.latest(f.series, "the fit", func(c *checkpoint.Checkpoint) error {
		if err := json.Unmarshal(c.State, &state); err != nil {
			return fmt.Errorf("checkpoint: state of %s: %w", fitSeries, err)
		}
		return t.foreign(state.Fingerprint, fitSeries)
	})
	if err != nil {
		return nil, nil, err
	}
	detector := newDetector(t.Config.Model, t.Seed)
	if c != nil && state.Fitted {
		if err := detector.Load(c.Best); err != nil {
			return nil, nil, fmt.Errorf("%s: %w; remove the trial's folder to fit the detector again", fitSeries, err)
		}
		return detector, c.Best, t.ended(ctx)
	}
	var from *checkpoint.File
	if c != nil {
		from = c.Tensors
	}
	if err := f.fit(ctx, detector, from); err != nil {
		return nil, nil, err
	}
	kept, err := f.finish(detector)
	if err != nil {
		return nil, nil, err
	}
	return detector, kept, t.ended(ctx)
}

// fit fits the detector. Where ctx or Warn ends that, the state behind the last
// whole iteration is saved.
func (f *fitting) fit(ctx context.Context, detector detect.Detector, from *checkpoint.File) error {
	t := f.trial
	data := t.detectorData()
	progress := t.fitProgress()
	data.Progress = progress.hear
	err := detect.FitFrom(ctx, detector, data, from, func(state func() *checkpoint.File) error {
		f.state = state()
		if reason := t.ended(ctx); reason != nil {
			return reason
		}
		if t.due(f.saved) {
			return f.save()
		}
		return nil
	})
	if ended := t.ended(ctx); err != nil && ended != nil && errors.Is(err, ended) {
		err = ended
		if failed := f.save(); failed != nil {
			err = errors.Join(ended, failed)
		}
	}
	if err != nil {
		return err
	}
	progress.end()
	return nil
}

// save writes a checkpoint of the state, where it is not there yet.
func (f *fitting) save() error {
	if f.state == nil {
		return nil
	}
	err := f.write(checkpoint.Checkpoint{Tensors: f.state}, false)
	f.state, f.saved = nil, f.trial.time()
	return err
}

// finish keeps what was fitted, with what a trial that goes on from it has to know.
func (f *fitting) finish(detector detect.Detector) (*checkpoint.File, error) {
	file, err := detector.Save()
	if err != nil {
		return nil, err
	}
	file.Metadata["fingerprint"] = f.trial.Fingerprint
	words, err := json.Marshal(warnings(detector))
	if err != nil {
		return nil, err
	}
	file.Metadata["warnings"] = string(words)
	return file, f.write(checkpoint.Checkpoint{Best: file}, true)
}

func (f *fitting) write(c checkpoint.Checkpoint, fitted bool) (err error) {
	if c.State, err = json.Marshal(fitState{f.trial.Fingerprint, f.trial.Seed, fitted}); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return f.series.Save(c)
}
