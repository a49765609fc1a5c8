package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// ruler is another tool's way to do the work.
type ruler struct {
	name string
	// probe is a command that succeeds where the tool is installed and prints its version.
	probe       []string
	environment []string
	command     func(settings) []string
	// parse finds figures by key, such as "dnn/1024" in samples a second, in what
	// the command prints.
	parse func(string) (map[string]float64, error)
}

// rulers are all that there are, in the order in which they take turns.
func rulers(python string) []ruler {
	return []ruler{
		{
			name:        "PyTorch",
			probe:       []string{python, "-c", "import torch, numpy; print(torch.__version__)"},
			environment: []string{"OMP_NUM_THREADS=2"},
			command:     func(s settings) []string { return s.script("mlp_torch.py", s.data, "--processes") },
			parse:       parseTorch,
		},
		{
			name:  "gorgonia",
			probe: []string{"go", "list", "-m", "-f", "{{.Version}}", "gorgonia.org/gorgonia"},
			command: func(s settings) []string {
				return []string{s.gorgonia(), "-test.run=^$", "-test.bench=^BenchmarkTapeMachine$", "-test.benchtime=2s"}
			},
			parse: parseWith("dnn/1024", `BenchmarkTapeMachine\S*\s.*?([\d.]+) samples/s`),
		},
		{
			name:    "data.table fread",
			probe:   []string{"Rscript", "-e", "cat(as.character(packageVersion('data.table')))"},
			command: func(s settings) []string { return []string{"Rscript", filepath.Join(s.peers, "csv_fread.R"), s.csv()} },
			parse:   parseFread,
		},
		{
			name:        "pandas",
			probe:       []string{python, "-c", "import pandas; print(pandas.__version__)"},
			environment: []string{"OMP_NUM_THREADS=2"},
			command:     func(s settings) []string { return s.script("csv_pandas.py", s.csv()) },
			parse:       parseWith("csv", `(?m)^pandas .* ([\d.]+) s$`),
		},
	}
}

func (s settings) script(name string, args ...string) []string {
	return append([]string{s.python, filepath.Join(s.peers, name)}, args...)
}

func (s settings) csv() string { return filepath.Join(s.data, "flows.csv") }

// version is the tool's, or why it is not measured.
func (r ruler) version(ctx context.Context, s settings) (version, missing string) {
	if r.name != "gorgonia" && s.peers == "" {
		return "", "PEERS is not set"
	}
	if _, err := exec.LookPath(r.probe[0]); err != nil {
		return "", r.probe[0] + " is not installed"
	}
	out, err := output(ctx, nil, r.probe...)
	if err != nil {
		return "", "it is not installed"
	}
	for _, word := range r.command(s) {
		if s.peers != "" && filepath.Dir(word) == filepath.Clean(s.peers) {
			if _, err := os.Stat(word); err != nil {
				return "", "PEERS has no " + filepath.Base(word)
			}
		}
	}
	return lastLine(out), ""
}

// parseWith finds one figure, the first group of a pattern.
func parseWith(key, pattern string) func(string) (map[string]float64, error) {
	find := regexp.MustCompile(pattern)
	return func(text string) (map[string]float64, error) {
		m := find.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("no figure in %q", text)
		}
		v, err := strconv.ParseFloat(m[1], 64)
		return map[string]float64{key: v}, err
	}
}

var (
	torchStep = regexp.MustCompile(`(?m)^(dnn|ae) batch (\d+): .* best (\d+) samples/s$`)
	torchPair = regexp.MustCompile(`(?m)^dnn batch (\d+): two processes of one thread, sum (\d+) samples/s$`)
	freadTime = regexp.MustCompile(`Time difference of ([\d.]+) (secs|mins)`)
)

// parseTorch reads the better thread count of each case, and two processes at once.
func parseTorch(text string) (map[string]float64, error) {
	works := map[string]string{"dnn": "dnn", "ae": "autoencoder"}
	found := map[string]float64{}
	for _, m := range torchStep.FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		found[works[m[1]]+"/"+m[2]] = v
	}
	for _, m := range torchPair.FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		found["dnn/"+m[1]+"/processes"] = v
	}
	if len(found) != 7 {
		return nil, fmt.Errorf("%d figures of PyTorch, want 7:\n%s", len(found), text)
	}
	return found, nil
}

// parseFread reads R's difference of two times, which chooses its own unit.
func parseFread(text string) (map[string]float64, error) {
	m := freadTime.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("no time in %q", text)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if m[2] == "mins" {
		v *= 60
	}
	return map[string]float64{"csv": v}, err
}
