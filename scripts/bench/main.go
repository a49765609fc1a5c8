// Command bench measures flowbench and the tools it is compared with in turn on
// this machine, and writes the figures to BENCH.md. make bench runs it.
//
//	PEERS=DIR        folder of the rulers' scripts; without it only flowbench is measured
//	BENCH_DATA=DIR   folder of S.npy, y.npy and flows.csv, which the rulers'
//	                 make_matrix.py writes there where they are missing
//	REPEATS=5        rounds; every figure is the median over them
//	DURING=1500ms    of one measurement of a step, the rulers' own length
//	PYTHON=/usr/bin/python3
//
// A ruler that is not installed is named as not measured. Progress goes to
// stderr; on an error BENCH.md and its plot are left as they were.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what the environment says.
type settings struct {
	peers, data, python string
	repeats             int
	during              string
	work                string // temporary folder for binaries and profiles
}

func readSettings(get func(string) string) (settings, error) {
	or := func(name, otherwise string) string {
		if v := get(name); v != "" {
			return v
		}
		return otherwise
	}
	s := settings{peers: get("PEERS"), data: get("BENCH_DATA"), python: or("PYTHON", "/usr/bin/python3"), during: or("DURING", "1500ms")}
	var err error
	if s.repeats, err = strconv.Atoi(or("REPEATS", "5")); err != nil || s.repeats < 1 {
		return s, fmt.Errorf("REPEATS=%s: want a number of rounds", get("REPEATS"))
	}
	if _, err := time.ParseDuration(s.during); err != nil {
		return s, fmt.Errorf("DURING: %w", err)
	}
	return s, nil
}

func run(ctx context.Context) error {
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	if s.work, err = os.MkdirTemp("", "flowbench-rulers-*"); err != nil {
		return err
	}
	defer os.RemoveAll(s.work)
	if err := build(ctx, s); err != nil {
		return err
	}
	if err := ensureData(ctx, &s); err != nil {
		return err
	}
	r := &report{machine: readMachine(ctx, s), settings: s, figures: figures{}}
	if err := r.measure(ctx); err != nil {
		return err
	}
	text, err := r.markdown()
	if err != nil {
		return err
	}
	plot, err := os.ReadFile(s.plot())
	if err != nil {
		return err
	}
	if err := os.WriteFile(growthPlot, plot, 0o644); err != nil {
		return err
	}
	return os.WriteFile(resultFile, []byte(text), 0o644)
}

// What is written, seen from the repository's root, where make runs this.
const (
	resultFile = "BENCH.md"
	growthPlot = "scripts/bench/growth.svg"
)

// build makes the programs that are measured, ours and gorgonia's, once.
func build(ctx context.Context, s settings) error {
	if _, err := output(ctx, nil, "go", "build", "-trimpath", "-o", s.flowbench(), "."); err != nil {
		return err
	}
	_, err := output(ctx, nil, "go", "test", "-c", "-o", s.gorgonia(), "./train/graph")
	return err
}

func (s settings) flowbench() string { return filepath.Join(s.work, "flowbench") }
func (s settings) gorgonia() string  { return filepath.Join(s.work, "graph.test") }
func (s settings) plot() string      { return filepath.Join(s.work, "growth.svg") }

// ensureData makes the matrix and the CSV where they are missing and can be made.
// Without data flowbench makes up its own.
func ensureData(ctx context.Context, s *settings) error {
	if s.data == "" && s.peers == "" {
		return nil
	}
	if s.data == "" {
		s.data = filepath.Join(s.work, "data")
		if err := os.Mkdir(s.data, 0o755); err != nil {
			return err
		}
	}
	missing := false
	for _, name := range []string{"S.npy", "y.npy", "flows.csv"} {
		if _, err := os.Stat(filepath.Join(s.data, name)); err != nil {
			missing = true
		}
	}
	if !missing {
		return nil
	}
	if s.peers == "" {
		return fmt.Errorf("BENCH_DATA=%s lacks S.npy, y.npy or flows.csv: set PEERS to the folder of make_matrix.py, which writes them", s.data)
	}
	fmt.Fprintln(os.Stderr, "making the matrix and the CSV in", s.data)
	_, err := output(ctx, nil, s.python, filepath.Join(s.peers, "make_matrix.py"), s.data, "--csv")
	return err
}
