package bench

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestDetectorsFitEveryCase(t *testing.T) {
	if missing := Detectors().Missing(); len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	m := MakeMatrix(400, 7)
	for _, c := range ClassicCases() {
		if err := Detectors()[c.Work](t.Context(), c, m.X, m.Rows); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

func TestClassicFitsWhatIsThere(t *testing.T) {
	if missing := (Fits{}).Missing(); !slices.Equal(missing, []string{"pca", "kmeans", "gmm", "dbscan"}) {
		t.Errorf("missing without any: %v", missing)
	}
	var fitted []string
	fit := func(_ context.Context, c ClassicCase, x []float32, rows int) error {
		if len(x) != rows*Cols {
			t.Errorf("%s: %d values for %d rows", c.Name, len(x), rows)
		}
		fitted = append(fitted, c.Name)
		return nil
	}
	b := &Classic{Fits: Fits{"kmeans": fit, "dbscan": fit}, Matrix: MakeMatrix(15_000, 7), Rounds: 2, SIMD: "plain"}
	if missing := b.Fits.Missing(); !slices.Equal(missing, []string{"pca", "gmm"}) {
		t.Errorf("missing: %v", missing)
	}
	results, err := b.Run(t.Context())
	if err != nil || len(results) != 5 || len(fitted) != 10 || fitted[0] != fitted[5] {
		t.Fatalf("%v: %d results of fits of %v", err, len(results), fitted)
	}
	for i, want := range []int{15_000, 15_000, 10_000, 15_000, 15_000} {
		if r := results[i]; r.Rows != want || r.Repeats != 2 || !(r.Seconds > 0) || r.Device != "cpu/plain" {
			t.Errorf("%+v, want %d rows", r, want)
		}
	}
	var out bytes.Buffer
	if err := WriteClassic(&out, results); err != nil || !strings.Contains(out.String(), "kmeans k=64 20 iterations") {
		t.Errorf("%v:\n%s", err, out.String())
	}
	wrong := errors.New("wrong")
	b.Fits["kmeans"] = func(context.Context, ClassicCase, []float32, int) error { return wrong }
	if _, err := b.Run(t.Context()); !errors.Is(err, wrong) || !strings.Contains(err.Error(), "kmeans k=8") {
		t.Errorf("%v", err)
	}
}
