package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"flowbench/train/checkpoint"
)

// A score says how suspicious a row is: higher is more so.
//
//   - DNN, two classes: the logit of the positive class.
//   - DNN, more classes: the log-odds of "not the negative class".
//   - autoencoder: ModelConfig.Score over its residuals.
//
// An ensemble of autoencoders takes the mean of its members' scores, one of DNNs
// the log-odds of their mean probability: on the real sample that ranks better
// than the mean of their logits.

// ResidualTensor is the checkpoint's name of an autoencoder's residual scales.
const ResidualTensor = "score.residual_scale"

// residualSample bounds how many train rows the residual scales are fitted on:
// evenly spaced ones, so that the choice needs no seed. A median over 20,000
// rows has a standard error of about 1 % of the spread.
const residualSample = 20000

// scorer turns a network's outputs into scores.
type scorer struct {
	network *network
	kind    string    // ModelConfig.Score for an autoencoder, "" for a DNN
	passes  int       // ModelConfig.Passes for an autoencoder, else 1
	scale   []float64 // autoencoder: one a column, > 0; nil where the kind needs none
}

// newScorer fits the scorer of net on rows, the rows it trained on. Residuals
// that are not finite are a *notFinite.
func newScorer(ctx context.Context, c ModelConfig, net *network, rows []int32) (*scorer, error) {
	s := &scorer{network: net, passes: 1}
	if c.Kind != "autoencoder" {
		return s, nil
	}
	s.kind, s.passes = c.Score, c.Passes
	if s.kind == "squared" {
		return s, nil
	}
	return s, s.fitScale(ctx, spaced(rows, residualSample))
}

// spaced returns at most n of rows, evenly spaced.
func spaced(rows []int32, n int) []int32 {
	if len(rows) <= n {
		return rows
	}
	picked := make([]int32, n)
	for i := range picked {
		picked[i] = rows[i*len(rows)/n]
	}
	return picked
}

// residualFloor keeps a column that is reconstructed exactly on most train rows
// from ruling the score: no scale is below this share of the mean scale.
const residualFloor = 1e-2

func (s *scorer) fitScale(ctx context.Context, rows []int32) error {
	cols := s.network.data.Cols
	residuals := make([][]float64, cols)
	for j := range residuals {
		residuals[j] = make([]float64, 0, len(rows))
	}
	err := s.network.reconstruct(ctx, rows, s.passes, func(chunk []int32, out []float32) error {
		for i, r := range chunk {
			x := s.network.data.row(r)
			for j := range residuals {
				residuals[j] = append(residuals[j], math.Abs(float64(out[i*cols+j])-float64(x[j])))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.scale = make([]float64, cols)
	for j, r := range residuals {
		if s.kind == "variance" {
			s.scale[j] = meanSquare(r)
		} else {
			slices.Sort(r)
			s.scale[j] = r[len(r)/2]
		}
	}
	floorScales(s.scale)
	for j, v := range s.scale {
		if err := finite(v, "residual scale of %s", s.network.data.Columns[j]); err != nil {
			return err
		}
	}
	return nil
}

func meanSquare(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return sum / float64(len(v))
}

func floorScales(scale []float64) {
	mean := 0.0
	for _, v := range scale {
		mean += v / float64(len(scale))
	}
	if mean == 0 {
		mean = 1 // every column is reconstructed exactly
	}
	for j, v := range scale {
		// Rounded to what a checkpoint keeps, so that a loaded scorer gives the same scores.
		scale[j] = float64(float32(math.Max(v, residualFloor*mean)))
	}
}

// notFinite is the error of a figure that is a NaN or an infinity.
type notFinite struct {
	figure string
	value  float64
}

func (e *notFinite) Error() string { return fmt.Sprintf("%s %v", e.figure, e.value) }

// finite is nil for a finite value, and else a *notFinite of the figure.
func finite(value float64, figure string, about ...any) error {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return &notFinite{fmt.Sprintf(figure, about...), value}
	}
	return nil
}

// scores writes the score of each of rows to dst. One that is not finite is a
// *notFinite.
func (s *scorer) scores(ctx context.Context, rows []int32, dst []float64) error {
	at := 0
	return s.network.reconstruct(ctx, rows, s.passes, func(chunk []int32, out []float32) error {
		width := len(out) / len(chunk)
		for i, r := range chunk {
			v := s.row(out[i*width:(i+1)*width], s.network.data.row(r))
			if err := finite(v, "score of row %d", r); err != nil {
				return err
			}
			dst[at] = v
			at++
		}
		return nil
	})
}

func (s *scorer) row(out, x []float32) float64 {
	switch {
	case s.kind != "":
		return s.residual(out, x)
	case len(out) == 1:
		return float64(out[0])
	default:
		return logSumExp(out[1:]) - float64(out[0])
	}
}

func (s *scorer) residual(out, x []float32) float64 {
	sum := 0.0
	for j, v := range out {
		sum += s.term(j, math.Abs(float64(v)-float64(x[j])))
	}
	return sum / float64(len(out))
}

// term is what column j adds to the sum behind a score, for the distance d.
func (s *scorer) term(j int, d float64) float64 {
	switch s.kind {
	case "squared":
		return d * d
	case "variance":
		return d * d / s.scale[j]
	}
	l := math.Log1p(d / s.scale[j])
	if s.kind == "log_median_squared" {
		l *= l
	}
	return l
}

// tensors is what a checkpoint keeps of the scorer.
func (s *scorer) tensors() []checkpoint.Tensor {
	if s.scale == nil {
		return nil
	}
	values := make([]float32, len(s.scale))
	for j, v := range s.scale {
		values[j] = float32(v)
	}
	return []checkpoint.Tensor{{Name: ResidualTensor, Shape: []int{1, len(values)}, Data: values}}
}

// ensemble gathers the members' scores of the same rows.
type ensemble struct {
	members int
	odds    bool // DNNs: average probabilities, not scores
	// sum is the sum of scores, or of probabilities; against that of the
	// probabilities of the contrary, which keeps its digits where they are tiny.
	sum, against []float64
	last         []float64 // the last member's scores
}

func newEnsemble(rows int, odds bool) *ensemble {
	return &ensemble{odds: odds, sum: make([]float64, rows), against: make([]float64, rows), last: make([]float64, rows)}
}

// reset makes the ensemble one of no members, for so many rows.
func (e *ensemble) reset(rows int) {
	for _, values := range []*[]float64{&e.sum, &e.against, &e.last} {
		if cap(*values) < rows {
			*values = make([]float64, rows)
		}
		*values = (*values)[:rows]
		clear(*values)
	}
	e.members = 0
}

// maxLogit bounds a member's logit so that neither of its probabilities is 0 in float64.
const maxLogit = 700

// add takes in the scores that s gives rows.
func (e *ensemble) add(ctx context.Context, s *scorer, rows []int32) error {
	if err := s.scores(ctx, rows, e.last); err != nil {
		return err
	}
	e.take()
	return nil
}

// take counts the scores in last as one more member's.
func (e *ensemble) take() {
	e.members++
	for i, v := range e.last {
		if e.odds {
			v = math.Max(-maxLogit, math.Min(maxLogit, v))
			e.sum[i] += 1 / (1 + math.Exp(-v))
			e.against[i] += 1 / (1 + math.Exp(v))
		} else {
			e.sum[i] += v
		}
	}
}

// scores returns the ensemble's. That of a single member is its own.
func (e *ensemble) scores() []float64 {
	if e.members == 1 {
		return e.last
	}
	mean := make([]float64, len(e.sum))
	for i := range mean {
		if e.odds {
			mean[i] = math.Log(e.sum[i]) - math.Log(e.against[i])
		} else {
			mean[i] = e.sum[i] / float64(e.members)
		}
	}
	return mean
}
