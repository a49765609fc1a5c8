package train

import (
	"context"
	"errors"
	"math"

	"flowbench/train/detect"
)

// ErrNoExplanation is Explain's error for a model whose scores have no parts: an
// isolation forest, the majority, and detectors that see the components of a PCA
// in place of columns.
var ErrNoExplanation = errors.New("the scores of this kind of model have no parts by column")

// Method says in words what the parts that Explain writes are, "" where there are none.
func (s *Scorer) Method() string {
	switch {
	case s.detector != nil:
		if e, ok := s.detector.(detect.Explainer); ok {
			return e.Parts()
		}
		return ""
	case s.model.Config.Model.Kind == "autoencoder":
		return "term of the reconstruction error (" + s.model.Config.Model.Score + ")"
	}
	return "integrated gradients of the logit from the median benign row"
}

// Explain writes what each column adds to the score of each row of x, which the
// Scaler has transformed: rows×columns.
//
//   - autoencoder: the column's term of the score, which is their sum; of an
//     ensemble the mean over its members.
//   - DNN: integrated gradients from ModelFile.Reference, see pathGradient; of an
//     ensemble the mean over its members' own scores.
//   - detector: see detect.Explainer.
//
// Where there are no parts the error is ErrNoExplanation.
func (s *Scorer) Explain(ctx context.Context, x, dst []float32) error {
	if len(x) != len(dst) {
		panic("train: room for other than a part a value")
	}
	if s.detector != nil {
		if e, ok := s.detector.(detect.Explainer); ok {
			return e.Explain(x, dst)
		}
		return ErrNoExplanation
	}
	parts := make([]float64, len(x))
	add := s.addErrors
	if s.model.Config.Model.Kind == "dnn" {
		add = s.addGradients
	}
	if err := add(ctx, x, parts); err != nil {
		return err
	}
	for i, v := range parts {
		dst[i] = float32(v)
	}
	return nil
}

// addErrors adds the terms of an autoencoder's score.
func (s *Scorer) addErrors(ctx context.Context, x []float32, parts []float64) error {
	cols := len(s.model.Scaler.Columns)
	if err := s.look(x, len(x)/cols); err != nil {
		return err
	}
	share := 1 / float64(cols*len(s.members))
	for _, m := range s.members {
		at := 0
		err := m.network.reconstruct(ctx, s.every, m.passes, func(_ []int32, out []float32) error {
			for i, v := range out {
				parts[at] += share * m.term(i%cols, math.Abs(float64(v)-float64(x[at])))
				at++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addGradients adds a DNN's integrated gradients.
func (s *Scorer) addGradients(ctx context.Context, x []float32, parts []float64) error {
	if s.paths == nil {
		for _, weights := range s.weights {
			p, err := newPathGradient(s.model.Config.Model, weights, s.model.Reference)
			if err != nil {
				return err
			}
			s.paths = append(s.paths, p)
		}
	}
	for _, p := range s.paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.add(x, 1/float64(len(s.paths)), parts)
	}
	return nil
}
