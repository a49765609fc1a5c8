package page_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"flowbench/data/inspect"
	"flowbench/experiments/dataset"
	"flowbench/experiments/page"
	"flowbench/experiments/page/pagetest"
	"flowbench/experiments/spec"
)

// flowsPage is the document of a synthetic address, and the path of its page.
func flowsPage(t *testing.T, address string) (*page.Flows, string) {
	t.Helper()
	set, err := dataset.Open(t.Context(), spec.Data{Source: spec.Sources{address}}, filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	flows := inspect.Of(set)
	summary, err := inspect.Describe(t.Context(), flows, inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	look, err := inspect.Explore(t.Context(), flows, summary, inspect.LookOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	document := page.NewFlows(address, summary, look, set.Manifest().Ledger)
	var b bytes.Buffer
	if err := page.Write(&b, document.Title, document); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flows.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return document, path
}

func TestFlowsPage(t *testing.T) {
	b := pagetest.Open(t)
	document, path := flowsPage(t, "synth://infiltration?seed=7&rows=20000")
	if n := document.Scatter.Attacks; n != 36 {
		t.Errorf("%d attacks in the scatter plot, want all 36", n)
	}
	if !strings.Contains(strings.Join(document.Warnings, " "), "destination_port == 444") {
		t.Errorf("warnings %q do not name the port", document.Warnings)
	}
	for _, w := range windows {
		b.Visit(t, "file://"+path, w.width, w.height, w.scheme)
		if got := pagetest.Value[int](t, b, `document.documentElement.scrollWidth`); int64(got) > w.width {
			t.Errorf("%s: the page is %d pixels wide", w.name, got)
		}
		wantDrawn(t, b, w.name)
		for _, canvas := range []string{".scatter canvas", ".heat canvas"} {
			if !pagetest.Value[bool](t, b, `(() => { const c = document.querySelector("`+canvas+`"); return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); })()`) {
				t.Errorf("%s: nothing is drawn on %s", w.name, canvas)
			}
		}
		b.Screenshot(t, "flows-"+w.name)
		wantAccessible(t, b, w.name)
	}
	b.Run(t, chromedp.Click(chromedp.CSS("#distributions button")))
	b.Wait(t, `document.querySelectorAll("#distributions figure").length === 77`)
	if !pagetest.Value[bool](t, b, `(() => { const s = document.querySelector("#scatter select"), before = document.querySelector("#scatter svg").outerHTML;
		s.value = "3"; s.dispatchEvent(new Event("change")); return document.querySelector("#scatter svg").outerHTML !== before; })()`) {
		t.Error("another column leaves the scatter plot as it was")
	}
	wantQuiet(t, b)
}

// TestFlowsWithoutAttacks: there is nothing to tell apart, and the page says so.
func TestFlowsWithoutAttacks(t *testing.T) {
	f := inspect.Flows{Source: "none", Columns: []string{"a", "b"}, LabelNames: []string{"BENIGN"}, Labels: make([]int32, 3),
		Features: []float32{1, 2, 2, float32(math.NaN()), 3, 2}}
	summary, err := inspect.Describe(t.Context(), f, inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	look, err := inspect.Explore(t.Context(), f, summary, inspect.LookOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Write(&b, "none", page.NewFlows("none", summary, look, nil)); err != nil {
		t.Fatal(err)
	}
	browser := pagetest.Open(t)
	path := filepath.Join(t.TempDir(), "flows.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	browser.Visit(t, "file://"+path, 1440, 900, "light")
	if got := pagetest.Value[string](t, browser, `document.querySelector("#separation .absent").textContent`); !strings.Contains(got, "No flow is an attack") {
		t.Errorf("it says %q", got)
	}
	wantQuiet(t, browser)
}
