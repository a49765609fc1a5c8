package train

import (
	"context"
	"fmt"

	"flowbench/kernels"
	"flowbench/train/checkpoint"
	"flowbench/train/detect"
	"flowbench/train/graph"
)

// Scorer gives flows the scores of a finished model. It is used by one goroutine;
// several may be open at once. Close frees its memory.
type Scorer struct {
	model    *ModelFile
	members  []*scorer       // of networks
	detector detect.Detector // nil for networks
	ensemble *ensemble
	every    []int32 // 0, 1, 2, ...
	scaled   []float32
	weights  []*checkpoint.File // of networks
	paths    []*pathGradient    // of a DNN, made by the first Explain
}

// scoringBatch is how many rows go through a network at once: their activations
// in layers of 256 stay in a core's second-level cache.
const scoringBatch = 1024

// Scorer compiles the model for backend. On the backend that trained it the
// scores are those that the trial was judged by, to the bit.
func (f *Finished) Scorer(backend kernels.Backend) (*Scorer, error) {
	s := &Scorer{model: f.Model, weights: f.Members}
	if !f.network() {
		var err error
		s.detector, err = f.loadDetector()
		return s, err
	}
	s.ensemble = &ensemble{odds: f.Model.Config.Model.Kind == "dnn"}
	for _, weights := range f.Members {
		member, err := f.Model.openMember(weights, backend)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("%s: %w", f.name(), err)
		}
		s.members = append(s.members, member)
	}
	return s, nil
}

// loadDetector is the detector that all Scorers share: it may hold many rows.
func (f *Finished) loadDetector() (detect.Detector, error) {
	f.loading.Lock()
	defer f.loading.Unlock()
	if f.detector != nil {
		return f.detector, nil
	}
	var d detect.Detector
	if kind := f.Model.Config.Model.Kind; IsBaseline(kind) {
		d = newBaseline(kind)
	} else {
		d = newDetector(f.Model.Config.Model, f.Model.Seed)
	}
	if err := d.Load(f.Members[0]); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name(), err)
	}
	f.detector = d
	return d, nil
}

// openMember compiles one network with its weights.
func (m *ModelFile) openMember(weights *checkpoint.File, backend kernels.Backend) (*scorer, error) {
	c := m.Config
	c.Train.Batch = scoringBatch
	objective := graph.Objective{Kind: kernels.BCE} // any that fits: no step is ever trained
	switch {
	case c.Model.Kind == "autoencoder":
		objective.Kind = kernels.MSE
	case len(m.Classes) > 2:
		objective.Kind = kernels.SoftmaxCE
	}
	cols := len(m.Scaler.Columns)
	nothing := &Data{X: make([]float32, cols), Rows: 1, Cols: cols, Columns: m.Scaler.Columns, Classes: m.Classes}
	net, _, err := newNetwork(c, objective, nothing, nil, backend)
	if err != nil {
		return nil, err
	}
	s := &scorer{network: net, passes: 1}
	if c.Model.Kind == "autoencoder" {
		s.kind, s.passes = c.Model.Score, c.Model.Passes
	}
	err = net.restore(weights)
	if err == nil && s.kind != "" && s.kind != "squared" {
		err = s.readScale(weights, cols)
	}
	if err != nil {
		net.Close()
		return nil, err
	}
	return s, nil
}

// readScale takes the residual scales that tensors wrote.
func (s *scorer) readScale(weights *checkpoint.File, cols int) error {
	t, err := weights.Tensor(ResidualTensor)
	if err != nil {
		return err
	}
	if len(t.Data) != cols {
		return fmt.Errorf("checkpoint: tensor %q has %d values for %d columns", ResidualTensor, len(t.Data), cols)
	}
	for j, v := range t.Data {
		if !(v > 0) {
			return fmt.Errorf("checkpoint: tensor %q is %v in column %d", ResidualTensor, v, j)
		}
		s.scale = append(s.scale, float64(v))
	}
	return nil
}

// Close frees the networks.
func (s *Scorer) Close() error {
	var first error
	for _, m := range s.members {
		if err := m.network.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Score writes the score of each row of x, len(dst) rows that the model's Scaler
// has transformed. A row's score depends on that row alone. One that is not
// finite is an error.
func (s *Scorer) Score(ctx context.Context, x []float32, dst []float64) error {
	if cols := len(s.model.Scaler.Columns); len(x) != len(dst)*cols {
		panic("train: x is not a row of the model's columns for each score")
	}
	if s.detector != nil {
		return s.detector.Score(x, dst)
	}
	if err := s.look(x, len(dst)); err != nil {
		return err
	}
	if len(s.members) == 1 {
		return s.members[0].scores(ctx, s.every, dst)
	}
	s.ensemble.reset(len(dst))
	for _, m := range s.members {
		if err := s.ensemble.add(ctx, m, s.every); err != nil {
			return err
		}
	}
	copy(dst, s.ensemble.scores())
	return nil
}

// ScoreRaw is Score of rows as they came, in the order of the Scaler's columns;
// what is not finite is missing, and filled in as in training.
func (s *Scorer) ScoreRaw(ctx context.Context, x []float32, dst []float64) error {
	columns := make([]int, len(s.model.Scaler.Columns))
	for i := range columns {
		columns[i] = i
	}
	s.scaled = append(s.scaled[:0], x...)
	s.model.Scaler.Transform(s.scaled, x, len(columns), columns, nil)
	return s.Score(ctx, s.scaled, dst)
}

// look points the networks at the rows of x.
func (s *Scorer) look(x []float32, rows int) error {
	for len(s.every) < rows {
		s.every = append(s.every, int32(len(s.every)))
	}
	s.every = s.every[:rows]
	for _, m := range s.members {
		n := m.network
		n.data.X, n.data.Rows = x, rows
		n.bound = kernels.Data{X: x, Rows: rows, Cols: n.data.Cols}
		if err := n.machine.Bind(n.bound); err != nil {
			return err
		}
	}
	return nil
}
