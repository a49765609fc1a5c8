package pagetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a headless Chromium with one page, and what it has heard from it.
type Browser struct {
	context.Context
	mu       sync.Mutex
	said     []string // on the console, and exceptions
	requests []string // beyond the page's own file
}

// patience is for a page of 5,000 trials on a machine whose cores do other work.
const patience = 9 * time.Minute

// chromium is the browser of all tests of a program: starting one takes seconds.
var chromium struct {
	sync.Mutex
	context.Context // of its first tab; nil before Open
	end             func()
}

// Close ends the browser, if there is one. TestMain calls it behind all tests.
func Close() {
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.Context != nil {
		chromium.end()
		chromium.Context = nil
	}
}

// start starts the browser unless it runs, and gives its context.
func start(t *testing.T, path string) context.Context {
	t.Helper()
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.Context != nil {
		return chromium.Context
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(patience))
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil { // starts it; a limit would be its life's
		end()
		endAllocator()
		t.Fatal(err)
	}
	chromium.Context, chromium.end = ctx, func() { end(); endAllocator() }
	return ctx
}

// Open opens a tab of its own in the Chromium of all tests. Where there is none
// the test is skipped, or fails where REQUIRE_CHROMIUM is set.
func Open(t *testing.T) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("REQUIRE_CHROMIUM") != "" {
			t.Fatal("no chromium on the path: apt-get install chromium")
		}
		t.Skip("no chromium on the path: apt-get install chromium")
	}
	b := &Browser{}
	ctx, end := chromedp.NewContext(start(t, path), chromedp.WithListener(b.hear))
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	limited, endLimit := context.WithTimeout(ctx, patience)
	t.Cleanup(endLimit)
	b.Context = limited
	call(t, b, network.Enable, network.EnableParams{})
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, runtime.Enable, cdp.Empty{})
	return b
}

// call sends a command of the protocol that answers nothing.
func call[P any](t *testing.T, b *Browser, command cdp.Command[P, cdp.Empty], params P) {
	t.Helper()
	if _, err := chromedp.Call(b, command, params); err != nil {
		t.Fatal(err)
	}
}

func (b *Browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, a := range e.Args {
			b.said = append(b.said, string(e.Type)+": "+string(a.Value))
		}
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, "exception: "+e.ExceptionDetails.Text+" "+describe(e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		b.said = append(b.said, string(e.Entry.Level)+": "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "file:") {
			b.requests = append(b.requests, url)
		}
	}
}

func describe(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	return o.Description
}

// Run does actions, of which none may fail.
func (b *Browser) Run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, actions...); err != nil {
		t.Fatal(err)
	}
}

// Visit opens an address in a window of a size, light or dark, and waits until
// the page has drawn.
func (b *Browser) Visit(t *testing.T, address string, width, height int64, scheme string) {
	t.Helper()
	call(t, b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.Run(t, chromedp.Navigate(address))
	b.Wait(t, `!document.querySelector("#page").hasAttribute("aria-busy")`)
	b.Wait(t, `!document.querySelector(".stage") || document.querySelector(".stage").dataset.drawn === "true"`)
	Value[bool](t, b, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

// Wait waits until an expression is true.
func (b *Browser) Wait(t *testing.T, expression string) {
	t.Helper()
	for end := time.Now().Add(patience / 3); ; time.Sleep(20 * time.Millisecond) {
		if Value[bool](t, b, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it never came true: %s; the console says %q", expression, b.Said())
		}
	}
}

// Value evaluates an expression.
func Value[T any](t *testing.T, b *Browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.200s: %v", expression, err)
	}
	return v
}

// Said is what stands on the console, and what threw.
func (b *Browser) Said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.said...)
}

// Requests lists what was asked of a network.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.requests...)
}

// Screenshot keeps the whole page as a PNG in the folder that SCREENSHOTS names,
// or in the test's own.
func (b *Browser) Screenshot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if len(png) < 20_000 {
		t.Errorf("the screenshot %s has %d bytes, as an empty page has", name, len(png))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
