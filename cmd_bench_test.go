package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/bench"
)

// tiny makes a measurement of steps take milliseconds.
const tiny = " --rows 500 --during 2ms --repeat 2 --simd plain"

func TestBenchStep(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, log := flowbench(t, strings.Fields("bench step --json --batch 32 --batch 64 --threads 1 --profile p.prof"+tiny)...)
	if code != 0 || !strings.Contains(log, "no --data: measuring on a made-up matrix (seed 7) of 500 × 78") {
		t.Fatalf("exit code %d:\n%s", code, log)
	}
	found := objects(t, out, "work", "batch", "threads", "rows", "samples_per_second", "gflops", "simd", "device", "repeats")
	if len(found) != 5 {
		t.Fatalf("%d objects, want the dnn at two batches and in two processes, and the autoencoder at two:\n%s", len(found), out)
	}
	if o := found[2]; o["processes"] != 2.0 || o["batch"] != 64.0 || o["work"] != "dnn" {
		t.Errorf("in two processes: %v", o)
	}
	for _, o := range found {
		if o["samples_per_second"].(float64) <= 0 || o["device"] != "cpu/plain" || o["simd"] != "plain" || o["synthetic"] != true {
			t.Errorf("%v", o)
		}
	}
	if info, err := os.Stat("p.prof"); err != nil || info.Size() == 0 {
		t.Errorf("the profile: %v", err)
	}
	code, out, log = flowbench(t, strings.Fields("bench step --model autoencoder --batch 32 --threads 2"+tiny)...)
	if code != 0 || !strings.Contains(out, "autoencoder") || strings.Contains(out, "dnn") || !strings.Contains(out, "medians of 2 rounds on cpu/plain") {
		t.Errorf("exit code %d:\n%s%s", code, out, log)
	}
}

func TestBenchGrowth(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, log := flowbench(t, strings.Fields("bench step --growth --plot g.png --width 4 --width 8 --batch 32"+tiny)...)
	if code != 0 || !strings.Contains(out, "batch 32") {
		t.Errorf("exit code %d:\n%s%s", code, out, log)
	}
	if raw, err := os.ReadFile("g.png"); err != nil || !bytes.HasPrefix(raw, []byte("\x89PNG")) {
		t.Errorf("the plot: %v", err)
	}
}

func TestBenchCSV(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, log := flowbench(t, "bench", "csv", "--rows", "400", "--repeat", "2", "--json")
	if code != 0 || !strings.Contains(log, "400 synthetic rows") {
		t.Fatalf("exit code %d:\n%s", code, log)
	}
	o := objects(t, out, "work", "rows", "bytes", "seconds", "megabytes_per_second", "prepared_bytes", "open_seconds", "threads")[0]
	if o["work"] != "csv" || o["rows"] != 400.0 || o["repeats"] != 2.0 || o["synthetic"] != true {
		t.Errorf("%v", o)
	}
	if code, out, log := flowbench(t, "data", "synth", "flows", "--rows", "400"); code != 0 {
		t.Fatal(out, log)
	}
	code, out, log = flowbench(t, "bench", "csv", "--data", "flows", "--repeat", "1")
	if code != 0 || !strings.Contains(out, "peak/prepared") || strings.Contains(log, "synthetic") {
		t.Errorf("exit code %d:\n%s%s", code, out, log)
	}
}

func TestBenchClassic(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, log := flowbench(t, "bench", "classic", "--rows", "300", "--repeat", "1", "--json")
	works := map[any]int{}
	for _, o := range objects(t, out, "name", "rows", "seconds", "simd", "device") {
		works[o["work"]]++
	}
	if code != 0 || works["pca"] != 2 || works["kmeans"] != 2 || works["gmm"] != 1 || works["dbscan"] != 3 {
		t.Errorf("exit code %d, %v:\n%s", code, works, log)
	}
}

// Detectors that are not there are named, those that are there are measured all the same.
func TestBenchClassicNamesWhatIsMissing(t *testing.T) {
	fit := func(context.Context, bench.ClassicCase, []float32, int) error { return nil }
	for _, c := range []struct {
		fits    bench.Fits
		objects int
		want    string
	}{
		{bench.Fits{}, 0, "not measured: pca, kmeans, gmm, dbscan; this flowbench has no such detectors"},
		{bench.Fits{"gmm": fit, "pca": fit}, 3, "not measured: kmeans, dbscan;"},
		{bench.Fits{"gmm": fit, "pca": fit, "kmeans": fit, "dbscan": fit}, 8, ""},
	} {
		app := newApp()
		var out, log bytes.Buffer
		app.Writer, app.ErrWriter = &out, &log
		command, _ := leaf(app.Commands, []string{"flowbench", "bench", "classic"})
		command.Action = func(given *cli.Context) error { return runBenchClassic(given, c.fits) }
		err := app.RunContext(t.Context(), strings.Fields("flowbench bench classic --rows 300 --repeat 1 --json"))
		if found := objects(t, out.String(), "work", "name", "rows", "seconds", "simd"); len(found) != c.objects {
			t.Errorf("%d objects, want %d:\n%s", len(found), c.objects, out.String())
		}
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || exitCode(err) != exitFailed || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want ...%s...", err, c.want)
		}
	}
}

func TestBenchUse(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"bench", exitWrongUse, "bench needs a command: step, csv, classic"},
		{"bench steps", exitWrongUse, "did you mean \"step\"?"},
		{"bench step now", exitWrongUse, "bench step takes no arguments"},
		{"bench step --batch 0", exitWrongUse, "--batch 0: at least 1 is needed"},
		{"bench step --threads 0", exitWrongUse, "--threads 0: at least 1"},
		{"bench step --repeat 0", exitWrongUse, "--repeat 0"},
		{"bench csv --repeat 0", exitWrongUse, "--repeat 0"},
		{"bench classic --rows 1", exitWrongUse, "--rows 1: at least 2"},
		{"bench step --processes -1", exitWrongUse, "--processes -1: at least 0"},
		{"bench step --model dn", exitWrongUse, "--model dn is none that there is: write dnn or autoencoder; did you mean \"dnn\"?"},
		{"bench step --during 0s", exitWrongUse, "--during 0s"},
		{"bench step --plot x.svg", exitWrongUse, "are for --growth"},
		{"bench step --growth --plot x.jpeg2", exitWrongUse, "a plot's name ends in .svg, .png, .pdf"},
		{"bench step --growth --model dnn", exitWrongUse, "leave --model out"},
		{"bench step --simd mmx", exitWrongUse, "--simd mmx is none"},
		{"bench step --rows 300", exitFailed, "a batch of 8192 needs more rows than the 300"},
		{"bench step --data nowhere", exitFailed, "nowhere"},
		{"bench csv --data nowhere", exitFailed, "nowhere"},
		{"bench step --profile no/p.prof" + tiny, exitFailed, "--profile"},
	} {
		line := c.line
		if strings.Contains(line, "--rows 300") {
			line += " --batch 8192 --during 1ms --repeat 1"
		}
		code, out, log := flowbench(t, strings.Fields(line)...)
		if code != c.code || out != "" || !strings.Contains(log, c.want) {
			t.Errorf("%s: exit code %d, want %d and ...%s...\nstdout: %s\nstderr: %s", c.line, code, c.code, c.want, out, log)
		}
	}
	wantUntouched(t)
}

func TestInterruptedBench(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, line := range []string{"bench step" + tiny + " --batch 32", "bench csv --rows 300", "bench csv --rows 300 --data ."} {
		if strings.Contains(line, "--data") {
			if code, out, log := flowbench(t, "data", "synth", ".", "--rows", "400"); code != 0 {
				t.Fatal(out, log)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, log bytes.Buffer
		err := run(ctx, append([]string{"flowbench"}, strings.Fields(line)...), &out, &log)
		if err == nil || !strings.Contains(err.Error(), "interrupted") || out.Len() > 0 {
			t.Errorf("%s: %v\n%s", line, err, out.String())
		}
	}
}
