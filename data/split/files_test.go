package split

import (
	"slices"
	"testing"
)

// week is five rows of four files; rows 1 and 3 are duplicates in two files.
func week() Rows {
	return Rows{
		Cols: 1, Features: []float32{1, 2, 3, 2, 5}, Labels: []int32{0, 0, 0, 0, 1},
		Files:     []int32{0, 0, 1, 3, 3},
		FileNames: []string{"days/Monday.csv", "days/Tuesday.csv", "days/Wednesday.csv", "days/Friday.csv"},
	}
}

func TestFilesGoWhereTheirGlobsSay(t *testing.T) {
	s, _, err := Make(Config{By: ByFile, TrainFiles: []string{"Mon*"}, TestFiles: []string{"days/Fri*"}}, week())
	if err != nil {
		t.Fatal(err)
	}
	// Row 1 repeats row 3 of Friday, row 2 is Tuesday's.
	if !slices.Equal(s.Train, []int32{0}) || !slices.Equal(s.Test, []int32{3, 4}) || !slices.Equal(s.Unused, []int32{1, 2}) || s.Validation != nil {
		t.Errorf("got %+v", s)
	}
}

func TestDuplicatesStayInTheLastOfTheirFiles(t *testing.T) {
	r := week()
	r.Features = []float32{1, 2, 2, 7, 8}
	cfg := Config{By: ByFile, TrainFiles: []string{"Mon*"}, ValidationFiles: []string{"Tue*"}, TestFiles: []string{"Fri*"}, Validation: 0.9}
	s, _, err := Make(cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Train, []int32{0}) || !slices.Equal(s.Validation, []int32{2}) || !slices.Equal(s.Test, []int32{3, 4}) || !slices.Equal(s.Unused, []int32{1}) {
		t.Errorf("got %+v", s)
	}
}

// The order of the rows does not decide: Friday may be read first.
func TestTestKeepsItsDuplicatesWhereverTheyStand(t *testing.T) {
	r := Rows{Cols: 1, Features: []float32{1, 1, 2}, Labels: []int32{0, 0, 0}, Files: []int32{0, 1, 1}, FileNames: []string{"fri.csv", "mon.csv"}}
	s, _, err := Make(Config{By: ByFile, TrainFiles: []string{"mon*"}, TestFiles: []string{"fri*"}}, r)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Train, []int32{2}) || !slices.Equal(s.Test, []int32{0}) || !slices.Equal(s.Unused, []int32{1}) {
		t.Errorf("got %+v", s)
	}
}

func TestValidationIsCarvedOutOfTrainFiles(t *testing.T) {
	r := Rows{Cols: 1, FileNames: []string{"train.csv", "test.csv"}}
	for row := range 1000 {
		r.Features = append(r.Features, float32(row))
		r.Labels = append(r.Labels, int32(row%10/9))
		r.Files = append(r.Files, int32(row/800))
	}
	s, _, err := Make(Config{By: ByFile, TrainFiles: []string{"train*"}, TestFiles: []string{"test*"}, Validation: 0.25}, r)
	if err != nil {
		t.Fatal(err)
	}
	sum := Summarise(s, r)
	for label, want := range []LabelParts{
		{Label: "label 0", Train: Count{Rows: 540}, Validation: Count{Rows: 180}, Test: Count{Rows: 180}},
		{Label: "label 1", Train: Count{Rows: 60}, Validation: Count{Rows: 20}, Test: Count{Rows: 20}},
	} {
		if sum.Labels[label] != want {
			t.Errorf("got %+v, want %+v", sum.Labels[label], want)
		}
	}
}
