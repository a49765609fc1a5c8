package split

import (
	"errors"
	"math"
	"testing"
)

func TestImpossibleSplitsNameTheField(t *testing.T) {
	twoRows := Rows{Cols: 1, Features: []float32{1, 2}, Labels: []int32{0, 0}, Files: []int32{0, 1}, FileNames: []string{"a.csv", "b.csv"}}
	twins := twoRows
	twins.Features = []float32{1, 1}
	empty := twoRows
	empty.Keep = []int32{}
	third := Config{By: ByRandom, Train: 0.6, Validation: 0.2, Test: 0.2}
	files := Config{By: ByFile, TrainFiles: []string{"a*"}, TestFiles: []string{"b*"}}
	for name, c := range map[string]struct {
		cfg   Config
		rows  Rows
		field string
	}{
		"no method":               {Config{Train: 1}, twoRows, "split.by"},
		"unknown method":          {Config{By: "day", Train: 1}, twoRows, "split.by"},
		"sum above 1":             {Config{By: ByRandom, Train: 0.6, Validation: 0.3, Test: 0.2}, twoRows, "split.train"},
		"sum below 1":             {Config{By: ByGroup, Train: 0.6}, twoRows, "split.train"},
		"no train":                {Config{By: ByGroup, Test: 1}, twoRows, "split.train"},
		"negative":                {Config{By: ByRandom, Train: 1.2, Test: -0.2}, twoRows, "split.train"},
		"negative test":           {Config{By: ByRandom, Train: 0.9, Validation: 0.3, Test: -0.2}, twoRows, "split.test"},
		"NaN":                     {Config{By: ByRandom, Train: 0.5, Validation: math.NaN(), Test: 0.5}, twoRows, "split.validation"},
		"files without by: file":  {Config{By: ByRandom, Train: 1, TestFiles: []string{"x"}}, twoRows, "split.test_files"},
		"more parts than rows":    {third, twoRows, "split.validation"},
		"duplicates fill no test": {Config{By: ByRandom, Train: 0.5, Test: 0.5}, twins, "split.test"},
		"no rows":                 {third, empty, "split.train"},
		"no train files":          {Config{By: ByFile, TestFiles: []string{"b*"}}, twoRows, "split.train_files"},
		"no test files":           {Config{By: ByFile, TrainFiles: []string{"a*"}}, twoRows, "split.test_files"},
		"bad glob":                {Config{By: ByFile, TrainFiles: []string{"a["}, TestFiles: []string{"b*"}}, twoRows, "split.train_files"},
		"glob names nothing":      {Config{By: ByFile, TrainFiles: []string{"a*"}, TestFiles: []string{"z*"}}, twoRows, "split.test_files"},
		"file in two parts":       {Config{By: ByFile, TrainFiles: []string{"*"}, TestFiles: []string{"b*"}}, twoRows, "split.test_files"},
		"carve everything":        {Config{By: ByFile, TrainFiles: []string{"a*"}, TestFiles: []string{"b*"}, Validation: 1}, twoRows, "split.validation"},
		"carve from one row":      {Config{By: ByFile, TrainFiles: []string{"a*"}, TestFiles: []string{"b*"}, Validation: 0.2}, twoRows, "split.validation"},
		"train repeats test":      {files, twins, "split.train_files"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Make(c.cfg, c.rows)
			var field *FieldError
			if !errors.As(err, &field) {
				t.Fatalf("error %v is no FieldError", err)
			}
			if field.Field != c.field || field.Problem == "" {
				t.Errorf("%v: blames %s, want %s", err, field.Field, c.field)
			}
		})
	}
}

func TestThirdsWrittenByHandAreFine(t *testing.T) {
	cfg := Config{By: ByRandom, Train: 0.3333333, Validation: 0.3333333, Test: 0.3333333}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if cfg.Test = 0.333; cfg.Validate() == nil {
		t.Error("0.333 for a third went unnoticed")
	}
}

func TestSlicesThatDoNotFitPanic(t *testing.T) {
	for name, r := range map[string]Rows{
		"features": {Cols: 2, Features: make([]float32, 3), Labels: make([]int32, 1)},
		"no cols":  {Features: make([]float32, 3), Labels: make([]int32, 3)},
		"labels":   {Cols: 1, Features: make([]float32, 3), Labels: make([]int32, 2)},
		"groups":   {Cols: 1, Features: make([]float32, 3), Labels: make([]int32, 3), Groups: make([]int64, 1)},
		"keep":     {Cols: 1, Features: make([]float32, 3), Labels: make([]int32, 3), Keep: []int32{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Deduplicate(r)
		})
	}
}
