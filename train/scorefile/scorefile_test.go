package scorefile

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func example() *Set {
	return &Set{
		LabelNames: []string{"BENIGN", "Web Attack - XSS"},
		Validation: Part{
			Rows: []int32{0, 3}, Scores: []float64{0.5, -1.25}, Positive: []bool{false, true}, Labels: []uint16{0, 1}, Groups: []int32{7, 9},
		},
		Test: Part{ // 0.1 is no float32
			Rows: []int32{1, 4, 5}, Scores: []float64{0.1, 2, 3}, Positive: []bool{false, false, true}, Labels: []uint16{0, 0, 1},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []*Set{example(), {LabelNames: []string{"BENIGN"}}} {
		if err := Save(dir, s); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		same := cmp.Transformer("nil", func(p Part) []any { // an empty slice is as good as none
			return []any{append([]int32{}, p.Rows...), append([]float64{}, p.Scores...), append([]bool{}, p.Positive...), append([]uint16{}, p.Labels...), append([]int32{}, p.Groups...)}
		})
		if diff := cmp.Diff(s, got, same); diff != "" {
			t.Errorf("(-saved +read)\n%s", diff)
		}
	}
}

// TestPartOfIt: the test part and its scores alone are those of the whole, and what
// is wrong with them is found; a fault in what is not read is not.
func TestPartOfIt(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := ReadScores(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	s := example()
	if err := Save(dir, s); err != nil {
		t.Fatal(err)
	}
	part, err := ReadTest(dir)
	if diff := cmp.Diff(&s.Test, part); diff != "" || err != nil {
		t.Errorf("%v (-saved +read)\n%s", err, diff)
	}
	scores, positive, err := ReadScores(dir)
	if diff := cmp.Diff(s.Test.Scores, scores) + cmp.Diff(s.Test.Positive, positive); diff != "" || err != nil {
		t.Errorf("%v (-saved +read)\n%s", err, diff)
	}
	s.Validation.Scores[0] = math.NaN()
	if err := Save(dir, s); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTest(dir); err != nil {
		t.Errorf("a fault of the validation part: %v", err)
	}
	s.Test.Scores[0] = math.Inf(1)
	if err := Save(dir, s); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadScores(dir); err == nil || !strings.Contains(err.Error(), "test_scores[0] is +Inf; remove") {
		t.Errorf("an infinite score: %v", err)
	}
}

// TestLongRoundTrip: enough float64 for their bytes to make as many float32.
func TestLongRoundTrip(t *testing.T) {
	dir, s := t.TempDir(), &Set{LabelNames: []string{"BENIGN"}}
	for i := range 5000 {
		s.Test.Rows, s.Test.Scores = append(s.Test.Rows, int32(i)), append(s.Test.Scores, math.Sin(float64(i)))
		s.Test.Positive, s.Test.Labels = append(s.Test.Positive, i%7 == 0), append(s.Test.Labels, 0)
	}
	if err := Save(dir, s); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Test, got.Test); diff != "" {
		t.Error(diff)
	}
}

func TestEqualSetsGiveEqualBytes(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(example().encode(&a), example().encode(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("%d and %d bytes, %v", a.Len(), b.Len(), err)
	}
}

// TestScoresKeepTheirBits: float32 where that is exact, and else not.
func TestScoresKeepTheirBits(t *testing.T) {
	if _, ok := narrow([]float64{0.5, math.MaxFloat32, -0.25}).([]float32); !ok {
		t.Error("scores that are float32 are kept as something else")
	}
	for _, v := range []float64{0.1, 1e300, math.Nextafter(1, 2)} {
		if _, ok := narrow([]float64{0.5, v}).([]float64); !ok {
			t.Errorf("%v is narrowed", v)
		}
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for want, spoil := range map[string]func(*Set){
		"test differ in length":        func(s *Set) { s.Test.Rows = s.Test.Rows[:2] },
		"test_labels[2] is 9":          func(s *Set) { s.Test.Labels[2] = 9 },
		"validation_scores[1] is NaN":  func(s *Set) { s.Validation.Scores[1] = math.NaN() },
		"test_rows[1] does not ascend": func(s *Set) { s.Test.Rows[1] = 1 },
		"validation differ in length":  func(s *Set) { s.Validation.Groups = s.Validation.Groups[:1] },
	} {
		s := example()
		spoil(s)
		if err := Save(dir, s); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "result.json") {
			t.Errorf("got %v, want ...%s...", err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, Name), []byte("PK"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "not a valid zip file; remove") {
		t.Errorf("no archive: %v", err)
	}
}

// TestNumpyOpensIt reads the file with its foreign reader.
func TestNumpyOpensIt(t *testing.T) {
	if err := exec.Command("python3", "-c", "import numpy").Run(); err != nil {
		if os.Getenv("REQUIRE_NUMPY") != "" {
			t.Fatalf("REQUIRE_NUMPY is set, but python3 has no numpy: %v", err)
		}
		t.Skip("python3 has no numpy: install python3-numpy, or set REQUIRE_NUMPY=1 to make this a failure")
	}
	dir := t.TempDir()
	if err := Save(dir, example()); err != nil {
		t.Fatal(err)
	}
	const script = `
import numpy, sys
z = numpy.load(sys.argv[1])
print(bytes(z["label_names"]).decode().split("\n"))
for k in sorted(z.files):
    if k != "label_names": print(k, z[k].dtype, z[k].tolist())
`
	out, err := exec.Command("python3", "-c", script, filepath.Join(dir, Name)).CombinedOutput()
	want := `['BENIGN', 'Web Attack - XSS']
test_labels uint16 [0, 0, 1]
test_positive bool [False, False, True]
test_rows int32 [1, 4, 5]
test_scores float64 [0.1, 2.0, 3.0]
validation_groups int32 [7, 9]
validation_labels uint16 [0, 1]
validation_positive bool [False, True]
validation_rows int32 [0, 3]
validation_scores float32 [0.5, -1.25]
`
	if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
