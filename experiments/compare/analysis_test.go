package compare

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"flowbench/train/scorefile"
)

const testAP = "test.average_precision"

// model has one value a seed, and no scores.
func model(name string, values ...float64) Configuration {
	c := configuration(name, values...)
	for i := range values {
		c.Seeds = append(c.Seeds, uint64(i))
	}
	return c
}

func analyse(t *testing.T, o Options, c ...Configuration) *Analysis {
	t.Helper()
	a, err := Analyse(Table{Metric: "validation.average_precision", Maximize: true, Configurations: c}, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// spaced is n values from start, a hundredth apart, so that differences have a spread.
func spaced(start float64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = start + float64(i)/100
	}
	return v
}

func TestVerdicts(t *testing.T) {
	good, bad := model("good", spaced(0.8, 8)...), model("bad", spaced(0.5, 8)...)
	for i, v := range bad.Metrics[testAP] {
		*v -= float64(i*i) / 1000
	}
	c := analyse(t, Options{}, bad, good).Comparisons[0]
	if c.Verdict != Worse || !strings.HasPrefix(c.Sentence, "good is better than bad in test.average_precision: over 8 seeds +0.3") || c.Seeds.CliffsDelta != 1 {
		t.Errorf("%+v", c)
	}
	if c := analyse(t, Options{Against: "bad"}, bad, good).Comparisons[0]; c.Verdict != Better || !strings.HasPrefix(c.Sentence, "good is better than bad") {
		t.Errorf("%+v", c)
	}
	if c := analyse(t, Options{}, model("a", spaced(0.5, 8)...), model("b", 0.57, 0.5, 0.52, 0.53, 0.51, 0.56, 0.55, 0.54)).Comparisons[0]; c.Verdict != NoDifference || !strings.HasPrefix(c.Sentence, "no significant difference between") {
		t.Errorf("%+v", c)
	}
	if c := analyse(t, Options{}, model("a", 0.9, 0.91), model("b", 0.1, 0.12)).Comparisons[0]; c.Verdict != Undecidable || !strings.HasSuffix(c.Sentence, "2 seeds cannot show a difference (6 are needed for 1 comparison)") {
		t.Errorf("%+v", c)
	}
	// Splits of the same flows: the spread of a mean is larger than that over seeds.
	good.Overlap, bad.Overlap = 500, 500
	if c := analyse(t, Options{}, bad, good).Comparisons[0]; c.Verdict != NoDifference || c.Seeds.CorrectedT == nil || c.Seeds.P != *c.Seeds.CorrectedT {
		t.Errorf("%+v", c)
	}
}

func TestFamilyIsAllPairsWhereTheBestIsPicked(t *testing.T) {
	all := []Configuration{model("a", spaced(0.5, 8)...), model("b", spaced(0.6, 8)...), model("c", spaced(0.7, 8)...), model("d", spaced(0.4, 8)...)}
	if a := analyse(t, Options{}, all...); a.Family != 6 || a.Reference != "/c" || len(a.Comparisons) != 3 {
		t.Errorf("%+v", a)
	}
	if a := analyse(t, Options{Against: "b"}, all...); a.Family != 3 || a.Reference != "/b" {
		t.Errorf("%+v", a)
	}
	_, err := Analyse(Table{Metric: testAP, Configurations: []Configuration{model("dnn-0", 1), model("dnn-1", 1)}}, Options{Against: "dnn-00"})
	if err == nil || !strings.Contains(err.Error(), "did you mean \"dnn-0\"?") {
		t.Error(err)
	}
	if a := analyse(t, Options{}, all[0]); len(a.Comparisons) != 0 || len(a.Notes) != 1 {
		t.Errorf("one configuration: %+v", a)
	}
}

func TestPairsAreMadeBySeed(t *testing.T) {
	a, b := model("a", 0.1, 0.2, 0.3), model("b", 0.3, 0.9, 0.1)
	b.Seeds = []uint64{2, 7, 0}
	b.Metrics[testAP][2] = nil
	if pairs := pairUp(a, b, testAP); len(pairs) != 1 || pairs[0].a != 0.3 || pairs[0].b != 0.3 {
		t.Errorf("%+v", pairs)
	}
}

// scored writes the scores of rows of which the first ten are attacks and rise by gap.
func scored(t *testing.T, gap float64, first int32, seed uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), fmt.Sprint(seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	random, s := rand.New(rand.NewPCG(seed, 1)), &scorefile.Set{LabelNames: []string{"BENIGN", "Bot"}}
	for i := range int32(500) {
		score := random.NormFloat64()
		if i < 10 {
			score += gap
		}
		p := &s.Test
		p.Rows, p.Scores = append(p.Rows, first+i), append(p.Scores, score)
		p.Positive, p.Labels, p.Groups = append(p.Positive, i < 10), append(p.Labels, 0), append(p.Groups, i/2)
	}
	if err := scorefile.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRowsMustAgree: eight seeds alone would do, but the rows say that it is chance, or nothing.
func TestRowsMustAgree(t *testing.T) {
	run := func(gap float64, first int32) Comparison {
		good, bad := model("good", spaced(0.8, 8)...), model("bad", spaced(0.5, 8)...)
		for i := range 8 {
			good.Folders = append(good.Folders, scored(t, 0.3+gap, 0, uint64(i)))
			bad.Folders = append(bad.Folders, scored(t, 0.3, first, uint64(100+i)))
		}
		return analyse(t, Options{}, good, bad).Comparisons[0]
	}
	if c := run(0, 0); c.Verdict != NoDifference || c.Rows == nil || !c.Rows.Connections || c.Rows.PositiveUnits != 5 {
		t.Errorf("equal over rows: %+v %+v", c, c.Rows)
	}
	if c := run(5, 0); c.Verdict != Worse {
		t.Errorf("better over rows: %+v %+v", c, c.Rows)
	}
	if c := run(5, 1); c.Verdict != Undecidable || !strings.Contains(c.Sentence, "not the same rows") {
		t.Errorf("other rows: %+v %+v", c, c.Rows)
	}
}

func TestWhereAndSort(t *testing.T) {
	all := []Configuration{model("dnn-0", 0.5), model("dnn-1", 0.9), model("dnn-2", 0.7)}
	all[1].Settings = map[string]any{"train.epochs": int64(9)}
	kept, err := Where(all, "ap>0.6 && train.epochs!=9")
	if err != nil || len(kept) != 1 || kept[0].Name != "dnn-2" {
		t.Errorf("%v, %v", kept, err)
	}
	if _, err := Where(all, "epochs>1"); err == nil || !strings.Contains(err.Error(), "character 1") {
		t.Error(err)
	}
	for by, want := range map[string]string{"-ap": "dnn-1 dnn-2 dnn-0", "ap": "dnn-0 dnn-2 dnn-1", "train.epochs,ap": "dnn-1 dnn-0 dnn-2", "-name": "dnn-2 dnn-1 dnn-0"} {
		sorted, err := Sort(all, by)
		var names []string
		for _, c := range sorted {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%s: %s, want %s (%v)", by, got, want, err)
		}
	}
	if _, err := Sort(all, "-aurc"); err == nil || !strings.Contains(err.Error(), "did you mean \"auroc\"?") {
		t.Error(err)
	}
}

func TestCSV(t *testing.T) {
	c := model("dnn-0", 0.5, 0.25)
	c.Metrics = map[string][]*float64{testAP: {values(0.5)[0], nil}}
	var b bytes.Buffer
	if err := WriteCSV(&b, []Configuration{c}); err != nil {
		t.Fatal(err)
	}
	want := "study,configuration,model,baseline,seed,state,model.hidden,optimizer.learning_rate,test.average_precision\n" +
		",dnn-0,dnn,false,0,done,\"[64,32]\",0.001,0.5\n,dnn-0,dnn,false,1,done,\"[64,32]\",0.001,\n"
	if b.String() != want {
		t.Errorf("%s, want\n%s", b.String(), want)
	}
}

// TestParquet reads the file back as others would, into columns of given types.
func TestParquet(t *testing.T) {
	a, b := model("dnn-0", 0.5, 0.25), model("pca-1", 0.125)
	a.Study, a.Seeds[1] = "demo", math.MaxUint64
	a.Metrics = map[string][]*float64{testAP: {values(0.5)[0], nil}}
	b.Baseline, b.Params = true, map[string]any{"optimizer.learning_rate": 0.5, "model.score": "squared", "seed": int64(3)}
	var file bytes.Buffer
	if err := WriteParquet(&file, []Configuration{a, b}); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Study    string   `parquet:"study"`
		Name     string   `parquet:"configuration"`
		Model    string   `parquet:"model"`
		Baseline bool     `parquet:"baseline"`
		Seed     uint64   `parquet:"seed"`
		State    string   `parquet:"state"`
		Hidden   *string  `parquet:"model.hidden,optional"`
		Score    *string  `parquet:"model.score,optional"`
		Rate     *float64 `parquet:"optimizer.learning_rate,optional"`
		Given    *float64 `parquet:"param:seed,optional"`
		AP       *float64 `parquet:"test.average_precision,optional"`
		Val      *float64 `parquet:"validation.average_precision,optional"`
	}
	got, err := parquet.Read[row](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	hidden, score, numbers := "[64,32]", "squared", values(0.001, 0.5, 3, 0.125)
	want := []row{
		{Study: "demo", Name: "dnn-0", Model: "dnn", Seed: 0, State: "done", Hidden: &hidden, Rate: numbers[0], AP: numbers[1]},
		{Study: "demo", Name: "dnn-0", Model: "dnn", Seed: math.MaxUint64, State: "done", Hidden: &hidden, Rate: numbers[0]},
		{Name: "pca-1", Model: "dnn", Baseline: true, State: "done", Score: &score, Rate: numbers[1], Given: numbers[2], AP: numbers[3], Val: numbers[3]},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	schema, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || len(schema.Schema().Fields()) != 13 {
		t.Errorf("%d columns, %v", len(schema.Schema().Fields()), err)
	}
	var again bytes.Buffer
	if err := WriteParquet(&again, []Configuration{a, b}); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Errorf("two files of the same rows differ, %v", err)
	}
}

// TestFiveThousandTrials: 1,000 configurations of five seeds are analysed well
// within the second that is left of the two an answer may take.
func TestFiveThousandTrials(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var all []Configuration
	for i := range 1000 {
		v := make([]float64, 5)
		for j := range v {
			v[j] = math.Abs(random.NormFloat64()) / 10
		}
		all = append(all, model(fmt.Sprintf("dnn-%d", i), v...))
	}
	start := time.Now()
	a := analyse(t, Options{}, all...)
	kept, err := Where(all, "ap>0.01 && model.kind=dnn")
	took := time.Since(start)
	t.Logf("5,000 trials analysed and filtered in %v", took)
	if took > 5*time.Second && !raceDetector {
		t.Errorf("it took %v", took)
	}
	if len(a.Comparisons) != 999 || len(kept) == 0 || err != nil {
		t.Errorf("%d comparisons, %d kept, %v", len(a.Comparisons), len(kept), err)
	}
}
