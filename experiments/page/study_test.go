package page_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flowbench/experiments/page"
	"flowbench/experiments/page/pagetest"
	"flowbench/experiments/study"
)

// TestMain ends the browser behind all tests.
func TestMain(m *testing.M) {
	code := m.Run()
	pagetest.Close()
	os.Exit(code)
}

// writeStudy writes the page of a drawn study, and returns its path and how long
// it took to open, to collect and to write.
func writeStudy(t *testing.T, shape pagetest.Shape) (path string, took time.Duration) {
	t.Helper()
	dir := t.TempDir()
	pagetest.Study(t, filepath.Join(dir, "study"), shape, 0).Close()
	start := time.Now()
	st, err := study.Open(filepath.Join(dir, "study"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	document, err := page.NewCollector(st).Finished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Write(&b, document.Title, document); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "report.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, time.Since(start)
}

func wantQuiet(t *testing.T, b *pagetest.Browser) {
	t.Helper()
	for _, said := range b.Said() {
		t.Errorf("on the console: %s", said)
	}
	for _, url := range b.Requests() {
		t.Errorf("asked of the network: %s", url)
	}
}

// windows are a laptop's and a telephone's, light and dark.
var windows = []struct {
	name          string
	width, height int64
	scheme        string
}{
	{"laptop-light", 1440, 900, "light"}, {"laptop-dark", 1440, 900, "dark"},
	{"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"},
}

// TestStudyPage draws 200 trials in every window, and uses the page as people do.
func TestStudyPage(t *testing.T) {
	b := pagetest.Open(t)
	path, took := writeStudy(t, pagetest.Small)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("200 trials: %v to make, %.1f MB", took, float64(info.Size())/1e6)
	if info.Size() > 5e6 {
		t.Errorf("the page has %d bytes, more than 5 MB", info.Size())
	}
	for _, w := range windows {
		b.Visit(t, "file://"+path, w.width, w.height, w.scheme)
		if got := pagetest.Value[int](t, b, `document.documentElement.scrollWidth`); int64(got) > w.width {
			t.Errorf("%s: the page is %d pixels wide", w.name, got)
		}
		wantDrawn(t, b, w.name)
		wantCompared(t, b, w.name)
		wantTheme(t, b, w.name, w.scheme)
		b.Screenshot(t, "study-"+w.name)
		wantAccessible(t, b, w.name)
	}
	b.Visit(t, "file://"+path, 1440, 900, "light")
	brushes(t, b)
	keys(t, b)
	wantQuiet(t, b)
}

// wantDrawn makes sure that every chart holds marks, and that each has its text.
func wantDrawn(t *testing.T, b *pagetest.Browser, name string) {
	t.Helper()
	empty := pagetest.Value[[]string](t, b, `[...document.querySelectorAll(".chart")].filter((c) => !c.querySelector("path, rect, circle, line, text")).map((c) => c.ariaLabel)`)
	if n := pagetest.Value[int](t, b, `document.querySelectorAll(".chart").length`); n < 10 || len(empty) > 0 {
		t.Errorf("%s: of %d charts these are empty: %q", name, n, empty)
	}
	unnamed := pagetest.Value[int](t, b, `[...document.querySelectorAll(".chart")].filter((c) => !(c.ariaLabel || "").trim() || !c.parentElement.querySelector("details summary")).length`)
	if unnamed > 0 {
		t.Errorf("%s: %d charts have no text or no table", name, unnamed)
	}
	if absent := pagetest.Value[[]string](t, b, `[...document.querySelectorAll(".absent")].map((e) => e.closest("section").id)`); len(absent) > 0 {
		t.Errorf("%s: these parts are absent: %q", name, absent)
	}
}

// wantCompared makes sure that the learning rate, which the drawn results follow
// most, has the largest bar, that every other model stands in the table of tests,
// and that five seeds, which cannot tell 37 configurations apart, are said not to.
func wantCompared(t *testing.T, b *pagetest.Browser, name string) {
	t.Helper()
	bars := pagetest.Value[[]float64](t, b, `[...document.querySelectorAll("#importance .chart [aria-label=bar] rect")].map((r) => r.getBoundingClientRect().width)`)
	if len(bars) < 5 || slices.Max(bars) != bars[0] || bars[0] < 3*bars[1] {
		t.Errorf("%s: bars of importance are %v pixels long", name, bars)
	}
	alt := pagetest.Value[string](t, b, `document.querySelector("#importance .chart").ariaLabel`)
	if !strings.HasPrefix(alt, "learning rate 0.") {
		t.Errorf("%s: the chart of importance says %q", name, alt)
	}
	tests := pagetest.Value[[]string](t, b, `[...document.querySelectorAll("#importance .tall tbody tr")].map((r) => r.children[1].textContent)`)
	if len(tests) != 36 || slices.ContainsFunc(tests, func(v string) bool { return v != "cannot be concluded" }) {
		t.Errorf("%s: verdicts %q", name, tests)
	}
	if said := pagetest.Value[string](t, b, `document.querySelector("#overview").textContent`); !strings.Contains(said, "no significant difference from") || !strings.Contains(said, "5 seeds cannot show one") {
		t.Errorf("%s: the overview says %q", name, said)
	}
}

// wantTheme makes sure that the paper is as light or dark as the system, and that
// the switch turns it.
func wantTheme(t *testing.T, b *pagetest.Browser, name, scheme string) {
	t.Helper()
	const light = `(() => { const c = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number); return c[0] > 128; })()`
	if got := pagetest.Value[bool](t, b, light); got != (scheme == "light") {
		t.Errorf("%s: the paper is light: %v", name, got)
	}
	b.Run(t, chromedp.Click(chromedp.CSS(".theme")))
	if got := pagetest.Value[bool](t, b, light); got != (scheme == "dark") {
		t.Errorf("%s: the switch leaves the paper light: %v", name, got)
	}
	b.Run(t, chromedp.Click(chromedp.CSS(".theme")))
}

// wantAccessible runs axe-core on the page, where npm ci has put it.
func wantAccessible(t *testing.T, b *pagetest.Browser, name string) {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		if os.Getenv("REQUIRE_AXE") != "" {
			t.Fatalf("%v: run npm ci in experiments/page/web", err)
		}
		t.Logf("axe-core was not run: %v; npm ci in experiments/page/web brings it", err)
		return
	}
	pagetest.Value[bool](t, b, string(axe)+"; true")
	faults := pagetest.Value[[]string](t, b, `axe.run(document, { resultTypes: ["violations"] }).then((r) =>
		r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join("; ")))`)
	for _, fault := range faults {
		t.Errorf("%s: axe-core: %s", name, fault)
	}
}

const (
	said     = `document.querySelector(".said").textContent`
	rows     = `document.querySelector(".configs [role=status]").textContent`
	shown    = `document.querySelector("#learning .legend").textContent`
	leftmost = `document.querySelector("#sweep tbody th").textContent`
)

// brushes drags along an axis with the mouse, and wants lines, table and charts to follow.
func brushes(t *testing.T, b *pagetest.Browser) {
	t.Helper()
	if got := pagetest.Value[string](t, b, said); got != "37 of 37 configurations" {
		t.Errorf("before any brush: %s", got)
	}
	before := pagetest.Value[string](t, b, shown)
	box := pagetest.Value[[]float64](t, b, `(() => { document.querySelector(".stage").scrollIntoView({ block: "center", behavior: "instant" });
		const axis = [...document.querySelectorAll(".axis")].find((a) => a.querySelector(".name").textContent === "dropout").getBoundingClientRect(); return [axis.left, axis.top, axis.height]; })()`)
	x, top, height := box[0], box[1], box[2]
	b.Run(t,
		chromedp.MouseEvent(chromedp.MousePressed, x, top+0.02*height, chromedp.Button("left"), chromedp.ClickCount(1)),
		chromedp.MouseEvent(chromedp.MouseMoved, x, top+0.2*height, chromedp.Button("left")),
		chromedp.MouseEvent(chromedp.MouseMoved, x, top+0.4*height, chromedp.Button("left")),
		chromedp.MouseEvent(chromedp.MouseReleased, x, top+0.4*height, chromedp.Button("left"), chromedp.ClickCount(1)),
	)
	b.Wait(t, `!`+rows+`.endsWith("of 40")`)
	got := pagetest.Value[string](t, b, said)
	var passing, all int
	if _, err := fmt.Sscanf(got, "%d of %d configurations", &passing, &all); err != nil || passing == 0 || passing >= 37 || !strings.Contains(got, "dropout") {
		t.Errorf("after a brush on dropout: %s", got)
	}
	if inTable := pagetest.Value[string](t, b, rows); !strings.HasSuffix(inTable, fmt.Sprintf("of %d", passing+3)) { // and baselines
		t.Errorf("%d pass, the table lists %s", passing, inTable)
	}
	if after := pagetest.Value[string](t, b, shown); after == before {
		t.Errorf("the charts still show %s", after)
	}
	outside := pagetest.Value[int](t, b, `(() => { const at = [...document.querySelectorAll("#sweep thead th")].findIndex((th) => th.textContent === "dropout");
		const brushed = document.querySelector(".axis.brushed"); const [low, high] = [...brushed.querySelectorAll(".thumb")].map((e) => Number(e.getAttribute("aria-valuetext")));
		return [...document.querySelectorAll("#sweep tbody tr:not(.baseline)")].map((r) => Number(r.children[at].textContent)).filter((v) => v < low - 0.001 || v > high + 0.001).length; })()`)
	if outside > 0 {
		t.Errorf("%d rows of the table lie outside the brush", outside)
	}
	b.Run(t, chromedp.Click(chromedp.CSS(".parallel button")))
	b.Wait(t, rows+`.endsWith("of 40")`)
}

// keys does the same from the keyboard, and goes through the page by Tab.
func keys(t *testing.T, b *pagetest.Browser) {
	t.Helper()
	pagetest.Value[bool](t, b, `document.querySelectorAll(".thumb")[1].focus() ?? true`)
	for range 12 {
		b.Run(t, chromedp.KeyEvent(kb.ArrowDown))
	}
	b.Wait(t, `!`+rows+`.endsWith("of 40")`)
	if got := pagetest.Value[string](t, b, said); strings.HasPrefix(got, "37 of") {
		t.Errorf("after twelve presses of arrow down: %s", got)
	}
	b.Run(t, chromedp.KeyEvent(kb.Escape))
	b.Wait(t, rows+`.endsWith("of 40")`)

	pagetest.Value[bool](t, b, `document.querySelector(".skip").focus() ?? true`)
	var order []string
	for range 200 {
		b.Run(t, chromedp.KeyEvent(kb.Tab))
		stop := pagetest.Value[string](t, b, `(() => { const e = document.activeElement; const s = getComputedStyle(e);
			return (e.className || e.tagName) + "|" + (e.closest("section")?.id ?? "top") + "|" + (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 ? "seen" : "unseen"); })()`)
		if strings.HasPrefix(stop, "BODY") {
			break // behind the last stop
		}
		if strings.HasSuffix(stop, "unseen") {
			t.Errorf("nothing shows that %s has the focus", stop)
		}
		if part := strings.Split(stop, "|")[1]; len(order) == 0 || order[len(order)-1] != part {
			order = append(order, part)
		}
	}
	if got := strings.Join(order, " "); got != "top sweep learning curves attacks seeds scores importance differences data spec" {
		t.Errorf("Tab goes through %s", got)
	}

	// A column sorts by its button, best first, and rows are laid over by their box.
	pagetest.Value[bool](t, b, `[...document.querySelectorAll(".sort")].find((e) => e.textContent === "test AUROC").focus() ?? true`)
	b.Run(t, chromedp.KeyEvent(kb.Enter))
	sorted := pagetest.Value[bool](t, b, `(() => { const at = [...document.querySelectorAll("#sweep thead th")].findIndex((th) => th.ariaSort === "descending");
		const v = [...document.querySelectorAll("#sweep tbody tr")].map((r) => parseFloat(r.children[at].textContent)); return v.length > 20 && v.every((x, i) => i === 0 || x <= v[i - 1]); })()`)
	if !sorted {
		t.Error("Enter on a head of a column does not sort the table")
	}
	name := pagetest.Value[string](t, b, leftmost)
	pagetest.Value[bool](t, b, `document.querySelector("#sweep tbody input").focus() ?? true`)
	b.Run(t, chromedp.KeyEvent(" "))
	if got := pagetest.Value[string](t, b, shown); got != name {
		t.Errorf("with %s ticked the charts show %s", name, got)
	}
}

// idle measures how long a frame takes while nothing happens on the page: what the
// machine has to give.
const idle = `(async () => {
	const next = () => new Promise((done) => requestAnimationFrame(done)), times = [];
	let last = await next();
	for (let i = 0; i < 90; i++) { const now = await next(); times.push(now - last); last = now; }
	return times.sort((a, b) => a - b);
})()`

// frames measures the same while a brush moves up and down an axis.
const frames = `(async () => {
	const axis = document.querySelectorAll(".axis")[1], box = axis.getBoundingClientRect();
	const at = (type, f) => axis.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: box.left, clientY: box.top + f * box.height, bubbles: true }));
	axis.setPointerCapture = () => {};
	const next = () => new Promise((done) => requestAnimationFrame(done));
	at("pointerdown", 0.05);
	const times = [];
	let last = await next();
	for (let i = 0; i < 90; i++) {
		at("pointermove", 0.1 + 0.8 * Math.abs(Math.sin(i / 14)));
		const now = await next();
		times.push(now - last);
		last = now;
	}
	at("pointerup", 0.5);
	return times.sort((a, b) => a - b);
})()`

// TestLargeStudyPage draws 5,000 trials, and brushes them frame by frame.
func TestLargeStudyPage(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 trials take a minute to draw up")
	}
	b := pagetest.Open(t)
	path, took := writeStudy(t, pagetest.Large)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("5,000 trials: %v to make, %.1f MB", took, float64(info.Size())/1e6)
	b.Visit(t, "file://"+path, 1440, 900, "light")
	if got := pagetest.Value[string](t, b, said); got != "4,997 of 4,997 configurations" {
		t.Errorf("it draws %s", got)
	}
	still, times := pagetest.Value[[]float64](t, b, idle), pagetest.Value[[]float64](t, b, frames)
	rest, median, slow := still[len(still)/2], times[len(times)/2], times[len(times)*95/100]
	t.Logf("frames while brushing 5,000 lines: median %.1f ms, 95th percentile %.1f ms, least %.1f ms; with nothing to do %.1f ms", median, slow, times[0], rest)
	b.Screenshot(t, "large-laptop-light")
	wantQuiet(t, b)
}

func TestReportOfNothingIsRefused(t *testing.T) {
	shape := pagetest.Shape{Configurations: 2, Replicates: 1, Epochs: 2, Rows: 1000}
	dir := filepath.Join(t.TempDir(), "study")
	st := pagetest.Study(t, dir, shape, 5)
	_, err := page.NewCollector(st).Finished(t.Context())
	var none *page.NoneEndedError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "flowbench serve "+dir) {
		t.Errorf("error %v", err)
	}
	document, err := page.NewCollector(st).Collect(t.Context())
	if err != nil || !strings.Contains(document.Overview.Headline, "No trial") {
		t.Errorf("a page that follows it says %q, %v", document.Overview.Headline, err)
	}
}

func TestPageIsEqualToTheByte(t *testing.T) {
	shape := pagetest.Shape{Configurations: 4, Replicates: 2, Epochs: 3, Rows: 2000}
	var pages [2]bytes.Buffer
	st := pagetest.Study(t, filepath.Join(t.TempDir(), "study"), shape, 0)
	for i := range pages {
		document, err := page.NewCollector(st).Finished(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := page.Write(&pages[i], document.Title, document); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(pages[0].Bytes(), pages[1].Bytes()) {
		t.Error("two pages of one study differ")
	}
}

// TestTextCannotEndItsElement gives a study a name that would run as a script.
func TestTextCannotEndItsElement(t *testing.T) {
	b := pagetest.Open(t)
	document := &page.Flows{Kind: "flows", Title: `</script><script>document.title = "broken"</script><!--`}
	var file bytes.Buffer
	if err := page.Write(&file, document.Title, document); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(file.String(), "<script"); n != 2 {
		t.Errorf("%d scripts in the file, want the document and the page's own", n)
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Run(t, chromedp.Navigate("file://"+path))
	if got := pagetest.Value[string](t, b, `document.title`); got == "broken" {
		t.Error("a name ran as a script")
	}
}
