package detect

import (
	"context"
	"errors"
	"fmt"

	"flowbench/train/checkpoint"
)

// Majority gives every row the same score, the share of positives it was
// trained on: what can be had without looking at a flow. Its average precision
// is the chance level and its AUROC one half. It learns from one class as well.
type Majority struct {
	shape shape
	share float64
}

// NewMajority returns an unfitted Majority.
func NewMajority() *Majority { return &Majority{} }

// Name is "majority".
func (m *Majority) Name() string { return "majority" }

// Fit counts the positives.
func (m *Majority) Fit(ctx context.Context, data Data) error {
	*m = Majority{}
	if err := firstError(ctx.Err(), data.check(), data.checkTruth()); err != nil {
		return fmt.Errorf("majority: %w", err)
	}
	m.share = float64(data.positives()) / float64(data.Rows)
	m.shape = data.shape()
	return nil
}

// Score writes the constant.
func (m *Majority) Score(x []float32, dst []float64) error {
	if err := m.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("majority: %w", err)
	}
	for i := range dst {
		dst[i] = m.share
	}
	return nil
}

// Save keeps the constant.
func (m *Majority) Save() (*checkpoint.File, error) {
	f, err := newState("majority", m.shape, nil)
	if err != nil {
		return nil, err
	}
	f.Tensors = []checkpoint.Tensor{wide("share", []float64{m.share}, 1)}
	return f, nil
}

// Load takes a saved constant.
func (m *Majority) Load(f *checkpoint.File) error {
	*m = Majority{}
	s, err := readState(f, "majority", nil)
	if err != nil {
		return err
	}
	share, _, err := readWide(f, "share", 1)
	if err != nil {
		return fmt.Errorf("majority: %w", err)
	}
	if !(share[0] >= 0 && share[0] <= 1) {
		return errors.New("majority: the file's share is not one")
	}
	m.shape, m.share = s, share[0]
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
