// Package scorefile keeps what a trial scored its validation and test rows with, so
// that curves, score distributions and tests between detectors over the same
// rows can be made later, without the model and without the flows.
//
// The file is an archive that numpy.load opens. For each part, validation and
// test, it holds
//
//	test_scores     float32 where that holds every score exactly, else float64
//	test_rows       int32, the row of the prepared set, ascending
//	test_positive   bool, whether the trial's task calls the row an attack
//	test_labels     uint16, an index into label_names
//	test_groups     int32, the row's connection; missing where none is known
//
// and label_names, UTF-8 bytes with a newline between the names. It costs about
// 7 bytes a row: 2.8 MB for the validation and test rows (40 %) of a million flows.
package scorefile

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"

	"flowbench/train/checkpoint"
)

// Name is the file in a trial's folder.
const Name = "scores.npz"

// Part is the rows of one part. All slices have one value a row.
type Part struct {
	Rows     []int32   // row of the prepared set, ascending
	Scores   []float64 // higher is more suspicious; finite
	Positive []bool    // an attack, as the trial's task has it
	Labels   []uint16  // index into Set.LabelNames
	// Groups is the connection of each row, numbered over the whole prepared set;
	// nil where the flows have no addresses to tell it from.
	Groups []int32
}

// Set is what a trial keeps.
type Set struct {
	LabelNames       []string
	Validation, Test Part
}

// Save writes s into dir. Equal sets give equal bytes, and a file that was there
// is replaced as a whole.
func Save(dir string, s *Set) error { return SaveTo(checkpoint.OS{}, dir, s) }

// SaveTo is Save on a disk.
func SaveTo(disk checkpoint.Disk, dir string, s *Set) error {
	var b bytes.Buffer
	if err := s.encode(&b); err != nil {
		return fmt.Errorf("scores: %w", err)
	}
	return checkpoint.Replace(disk, filepath.Join(dir, Name), b.Bytes())
}

func (s *Set) encode(b *bytes.Buffer) error {
	archive := zip.NewWriter(b)
	add := func(name string, values any) error {
		w, err := archive.Create(name + ".npy") // without a time of its own
		if err != nil {
			return err
		}
		return npy.Write(w, values)
	}
	if err := add("label_names", []byte(strings.Join(s.LabelNames, "\n"))); err != nil {
		return err
	}
	for _, p := range s.parts() {
		arrays := []struct {
			name   string
			values any
		}{{"scores", narrow(p.Scores)}, {"rows", p.Rows}, {"positive", p.Positive}, {"labels", p.Labels}, {"groups", p.Groups}}
		for _, a := range arrays {
			if a.name == "groups" && p.Groups == nil {
				continue
			}
			if err := add(p.name+"_"+a.name, a.values); err != nil {
				return err
			}
		}
	}
	return archive.Close()
}

type namedPart struct {
	name string
	*Part
}

func (s *Set) parts() []namedPart {
	return []namedPart{{"validation", &s.Validation}, {"test", &s.Test}}
}

// narrow is scores as float32 where none of them changes by it: ties must stay
// ties, and what is not one must not become one.
func narrow(scores []float64) any {
	narrow := make([]float32, len(scores))
	for i, v := range scores {
		narrow[i] = float32(v)
		if float64(narrow[i]) != v {
			return scores
		}
	}
	return narrow
}

// Read reads what Save wrote into dir. A file that is not there satisfies
// errors.Is(err, fs.ErrNotExist).
func Read(dir string) (*Set, error) { return read(dir, "validation", "test") }

// ReadTest is Read for those who need no more than the test part, at its cost.
func ReadTest(dir string) (*Part, error) {
	s, err := read(dir, "test")
	if err != nil {
		return nil, err
	}
	return &s.Test, nil
}

// ReadScores is Read for those who need no more than what the test part was
// scored with, and which rows are attacks: half the cost of ReadTest.
func ReadScores(dir string) (scores []float64, positive []bool, err error) {
	err = open(dir, func(archive *zip.Reader) error {
		p := Part{}
		if err := readArray(archive, "test_positive", &p.Positive); err != nil {
			return err
		}
		if err := readScores(archive, "test_scores", &p.Scores); err != nil {
			return err
		}
		scores, positive = p.Scores, p.Positive
		return p.checkScores("test")
	})
	return scores, positive, err
}

func read(dir string, parts ...string) (s *Set, err error) {
	err = open(dir, func(archive *zip.Reader) error {
		s, err = decode(archive, parts)
		return err
	})
	return s, err
}

// open hands the archive in dir to use, and says whose fault an error is.
func open(dir string, use func(*zip.Reader) error) error {
	path := filepath.Join(dir, Name)
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("scores: %w", err)
	}
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err == nil {
		err = use(archive)
	}
	if err != nil {
		return fmt.Errorf("scores: %s: %w; remove the trial's result.json and sweep again to have it written again", path, err)
	}
	return nil
}

func decode(archive *zip.Reader, parts []string) (*Set, error) {
	var names []byte
	if err := readArray(archive, "label_names", &names); err != nil {
		return nil, err
	}
	s := &Set{LabelNames: strings.Split(string(names), "\n")}
	for _, p := range s.parts() {
		if !slices.Contains(parts, p.name) {
			continue
		}
		if err := p.read(archive); err != nil {
			return nil, err
		}
		if err := p.check(p.name, len(s.LabelNames)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (p namedPart) read(archive *zip.Reader) error {
	for name, into := range map[string]any{"rows": &p.Rows, "positive": &p.Positive, "labels": &p.Labels} {
		if err := readArray(archive, p.name+"_"+name, into); err != nil {
			return err
		}
	}
	if has(archive, p.name+"_groups") {
		if err := readArray(archive, p.name+"_groups", &p.Groups); err != nil {
			return err
		}
	}
	return readScores(archive, p.name+"_scores", &p.Scores)
}

// readScores reads float32 or float64.
func readScores(archive *zip.Reader, name string, into *[]float64) error {
	r, err := openArray(archive, name)
	if err != nil {
		return err
	}
	if r.Header.Descr.Type != dtype(&[]float32{}) {
		return r.into(into)
	}
	var single []float32
	if err := r.into(&single); err != nil {
		return err
	}
	*into = make([]float64, len(single))
	for i, v := range single {
		(*into)[i] = float64(v)
	}
	return nil
}

// checkScores makes sure that there is a finite score for every row.
func (p *Part) checkScores(name string) error {
	if len(p.Positive) != len(p.Scores) {
		return fmt.Errorf("the arrays of %s differ in length", name)
	}
	for i, v := range p.Scores {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s_scores[%d] is %v", name, i, v)
		}
	}
	return nil
}

// check makes sure that a part is one: readers index by what it holds.
func (p *Part) check(name string, labels int) error {
	if err := p.checkScores(name); err != nil {
		return err
	}
	n := len(p.Scores)
	if len(p.Rows) != n || len(p.Labels) != n || p.Groups != nil && len(p.Groups) != n {
		return fmt.Errorf("the arrays of %s differ in length", name)
	}
	for i := range n {
		switch {
		case int(p.Labels[i]) >= labels:
			return fmt.Errorf("%s_labels[%d] is %d, of %d labels", name, i, p.Labels[i], labels)
		case i > 0 && p.Rows[i] <= p.Rows[i-1]:
			return fmt.Errorf("%s_rows[%d] does not ascend", name, i)
		}
	}
	return nil
}

func has(archive *zip.Reader, name string) bool {
	f, err := archive.Open(name + ".npy")
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// array is one that has been opened.
type array struct {
	*npy.Reader
	name string
}

// openArray reads the bytes and the header of one array.
func openArray(archive *zip.Reader, name string) (array, error) {
	f, err := archive.Open(name + ".npy")
	if err != nil {
		return array{}, fmt.Errorf("it holds no %s", name)
	}
	defer f.Close()
	raw, err := io.ReadAll(f) // the reader of arrays takes short reads for whole ones
	if err != nil {
		return array{}, fmt.Errorf("%s: %w", name, err)
	}
	r, err := npy.NewReader(bytes.NewReader(raw))
	if err != nil {
		return array{}, fmt.Errorf("%s: %w", name, err)
	}
	return array{r, name}, nil
}

// into reads the values into a pointer to a slice of their type: the reader of
// arrays would take the bytes of one type for another.
func (a array) into(values any) error {
	if want, got := dtype(values), a.Header.Descr.Type; got != want || len(a.Header.Descr.Shape) != 1 {
		return fmt.Errorf("%s is no column of %s but %s", a.name, want, got)
	}
	if err := a.Read(values); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	return nil
}

// readArray reads one array into a pointer to a slice of its type.
func readArray(archive *zip.Reader, name string, values any) error {
	a, err := openArray(archive, name)
	if err != nil {
		return err
	}
	return a.into(values)
}

// dtype is the type of a slice's values as numpy writes it.
func dtype(into any) string {
	switch into.(type) {
	case *[]byte:
		return "|u1"
	case *[]bool:
		return "|b1"
	case *[]uint16:
		return "<u2"
	case *[]int32:
		return "<i4"
	case *[]float32:
		return "<f4"
	case *[]float64:
		return "<f8"
	}
	panic("scorefile: no array of this type")
}
