package page

import (
	"errors"
	"io/fs"

	"flowbench/train"
	"flowbench/train/scorefile"
)

// recorded reads what the trial in a folder gave its test flows; nil where it kept
// no scores, as trials from before scores were kept.
func recorded(dir string, r *train.Result) (*TestScores, error) {
	scores, positive, err := scorefile.ReadScores(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &TestScores{Scores: scores, Positive: positive}
	if r.Test != nil {
		s.Threshold = r.Test.Threshold
	}
	return s, nil
}
