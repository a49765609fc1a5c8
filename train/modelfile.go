package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"flowbench/data/scale"
	"flowbench/train/checkpoint"
	"flowbench/train/metric"
)

// modelName is the file that says how a trial's weights are used.
const modelName = "model.json"

// modelVersion is raised when an older reader would misread model.json.
const modelVersion = 1

// Preparation is how raw flows became the matrix of a trial.
type Preparation struct {
	Flows string `json:"flows"` // fingerprint of the prepared set
	// Scaler holds the columns in the order that the model reads them, and for each
	// what stands in for a missing cell and how it is scaled.
	Scaler   *scale.Scaler `json:"scaler"`
	Dropped  []string      `json:"dropped"`  // columns that were left out by request
	Constant []string      `json:"constant"` // columns without spread over the train rows, left out
	// LabelClass is the class of each of Data.Labels, -1 where its rows were left out.
	LabelClass []int32 `json:"label_class"`
}

// PartCount is how many rows a part has, and how many are of another class than
// the negative one.
type PartCount struct {
	Rows      int `json:"rows"`
	Positives int `json:"positives"`
}

// TailPoint is one of the highest scores of negatives: Rank of them score above it
// or, of equals, come before it.
type TailPoint struct {
	Rank  int     `json:"rank"`
	Score float64 `json:"score"`
}

// ModelFile is all that using a trial's weights takes beside them; model.json
// holds it. Equal trials write equal bytes.
type ModelFile struct {
	Version     int    `json:"version"`
	Fingerprint string `json:"fingerprint"` // the trial's, as in result.json
	Data        string `json:"data"`        // Data.Fingerprint
	Preparation
	Config  Config               `json:"config"`
	Seed    uint64               `json:"seed"`
	Device  string               `json:"device"`
	Classes []string             `json:"classes"` // 0 is the negative class
	Labels  []string             `json:"labels"`
	Parts   map[string]PartCount `json:"parts"` // train, validation, test
	// Threshold was chosen on the rows of the part ThresholdOn; a score at or above
	// it is an alert.
	Threshold   metric.Value `json:"threshold"`
	ThresholdOn string       `json:"threshold_on"`
	// Tail is taken from the scores of that part's negatives, for thresholds at other
	// false-positive rates.
	Tail []TailPoint `json:"tail"`
	// Reference is a row in the middle of what is usual: the median of each scaled
	// column over the negatives of the train part.
	Reference []float32 `json:"reference"`
}

// thresholdPart is the part that thresholds are chosen on.
const thresholdPart = "validation"

// writeModel keeps how the trial's model is used; the trial's result is written
// after it. Data without a Preparation has no raw flows behind it, and no model file.
func (t *Trial) writeModel(validation []float64, threshold metric.Value) error {
	d := t.Data
	if d.Preparation == nil {
		return nil
	}
	m := ModelFile{
		Version: modelVersion, Fingerprint: t.Fingerprint, Data: d.Fingerprint, Preparation: *d.Preparation,
		Config: t.Config, Seed: t.Seed, Device: t.Backend.Name(), Classes: d.Classes, Labels: d.Labels,
		Parts:     map[string]PartCount{"train": d.count(d.Train), "validation": d.count(d.Validation), "test": d.count(d.Test)},
		Threshold: threshold, ThresholdOn: thresholdPart,
		Tail: tail(validation, d.positive(d.Validation)), Reference: d.reference(),
	}
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", modelName, err)
	}
	if err := checkpoint.Replace(t.disk(), filepath.Join(t.Dir, modelName), append(raw, '\n')); err != nil {
		return fmt.Errorf("%s: %w", modelName, err)
	}
	return nil
}

func (d *Data) count(rows []int32) PartCount {
	c := PartCount{Rows: len(rows)}
	for _, is := range d.positive(rows) {
		if is {
			c.Positives++
		}
	}
	return c
}

// reference is ModelFile.Reference.
func (d *Data) reference() []float32 {
	rows := spaced(d.negatives(d.Train), residualSample)
	middle, column := make([]float32, d.Cols), make([]float32, len(rows))
	if len(rows) == 0 {
		return middle
	}
	for j := range middle {
		for i, r := range rows {
			column[i] = d.row(r)[j]
		}
		slices.Sort(column)
		middle[j] = column[len(column)/2]
	}
	return middle
}

// tailExact is how many of the highest scores are kept one by one; below them the
// ranks grow by tailStep, so that a rate is met to within a hundredth of itself.
const (
	tailExact = 100
	tailStep  = 1.01
)

// tail keeps some of the scores of negatives, from the highest to the lowest.
func tail(scores []float64, positive []bool) []TailPoint {
	var negatives []float64
	for i, s := range scores {
		if !positive[i] {
			negatives = append(negatives, s)
		}
	}
	slices.Sort(negatives)
	slices.Reverse(negatives)
	points := []TailPoint{}
	for rank := 0; rank < len(negatives); {
		points = append(points, TailPoint{rank, negatives[rank]})
		next := rank + 1
		if rank >= tailExact {
			next = max(next, int(float64(rank)*tailStep))
		}
		if rank < len(negatives)-1 {
			next = min(next, len(negatives)-1)
		}
		rank = next
	}
	return points
}

// ThresholdAt is a threshold whose false-positive rate on the rows of ThresholdOn
// does not exceed limit, in (0, 1): the next number above a negative's score, and
// the lowest there is but for the steps of Tail.
func (m *ModelFile) ThresholdAt(limit float64) (float64, error) {
	part := m.Parts[m.ThresholdOn]
	negatives := part.Rows - part.Positives
	switch {
	case !(limit > 0 && limit < 1):
		return 0, fmt.Errorf("a false-positive rate of %v is not between 0 and 1", limit)
	case len(m.Tail) == 0 || negatives == 0:
		return 0, fmt.Errorf("the %s part has no negatives to choose a threshold on", m.ThresholdOn)
	}
	best := m.Tail[0]
	for _, p := range m.Tail {
		if float64(p.Rank)/float64(negatives) <= limit { // so many alert at most, whatever equals it
			best = p
		}
	}
	return math.Nextafter(best.Score, math.Inf(1)), nil
}

// readModel reads the model.json in dir.
func readModel(dir string) (*ModelFile, error) {
	path := filepath.Join(dir, modelName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: it was trained before there was one; remove the folder and train it again", dir, modelName)
	}
	if err != nil {
		return nil, err
	}
	m := new(ModelFile)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%s: %w; remove the trial's folder to train it again", path, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// check finds what would make a user of the model go wrong.
func (m *ModelFile) check() error {
	switch {
	case m.Version != modelVersion:
		return fmt.Errorf("version %d, this program reads %d; train it again", m.Version, modelVersion)
	case m.Scaler == nil:
		return errors.New("it has no scaler; train it again")
	case len(m.Classes) < 2:
		return fmt.Errorf("it has %d classes; train it again", len(m.Classes))
	case len(m.LabelClass) != len(m.Labels):
		return fmt.Errorf("it has classes of %d labels and %d labels; train it again", len(m.LabelClass), len(m.Labels))
	case len(m.Reference) != len(m.Scaler.Columns):
		return fmt.Errorf("its reference has %d columns of %d; train it again", len(m.Reference), len(m.Scaler.Columns))
	}
	return m.Scaler.Validate()
}
