// Command gate writes kernels/cuda/BENCH.md from the gate.json of
// scripts/gpu-gate.sh:
//
//	go run ./scripts/gate OUT/gate.json
//
// Without a file it writes that nothing was measured. The figures of a dry run are
// none, and are refused.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"text/template"

	"flowbench/experiments/bench"
	"flowbench/train/checkpoint"
)

func main() {
	out := flag.String("out", "kernels/cuda/BENCH.md", "file to write")
	flag.Parse()
	if err := run(flag.Args(), *out); err != nil {
		fmt.Fprintln(os.Stderr, "gate:", err)
		os.Exit(1)
	}
}

func run(args []string, out string) error {
	var g *gate
	if len(args) > 0 {
		var err error
		if g, err = read(args[0]); err != nil {
			return err
		}
	}
	text, err := markdown(g)
	if err != nil {
		return err
	}
	return checkpoint.WriteFile(out, text)
}

// gate is gate.json.
type gate struct {
	Commit   string            `json:"commit"`
	Emulated bool              `json:"emulated"`
	Device   string            `json:"device"`
	Driver   string            `json:"driver"`
	UUID     string            `json:"uuid"`
	Steps    int               `json:"steps"`
	Others   int               `json:"neighbours"`
	Parts    []part            `json:"parts"`
	Bench    []bench.GPUResult `json:"bench"`
	Ceilings []string          `json:"ceilings"` // what ceilings.py printed
	Ruler    []string          `json:"ruler"`    // what gpu_torch.py printed
	RulerT32 []string          `json:"ruler_tf32"`
}

// part is one part of the gate: ok, failed or not measured, and why.
type part struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Seconds int    `json:"seconds"`
	Why     string `json:"why"`
}

func read(path string) (*gate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	g := &gate{}
	if err := decoder.Decode(g); err != nil {
		return nil, fmt.Errorf("%s: %w; is it of scripts/gpu-gate.sh of this commit?", path, err)
	}
	switch {
	case g.Emulated:
		return nil, fmt.Errorf("%s is of a dry run: nothing in it was measured on a GPU; run scripts/gpu-gate.sh where there is one", path)
	case g.Commit == "" || g.Device == "" || g.Driver == "" || len(g.Parts) == 0:
		return nil, fmt.Errorf("%s lacks its commit, device, driver or parts; run scripts/gpu-gate.sh again", path)
	}
	return g, nil
}

//go:embed bench.md.tmpl
var page string

// markdown is BENCH.md of a gate, or of none.
func markdown(g *gate) ([]byte, error) {
	view := struct {
		Gate             *gate
		Single, Together []comparison
		Ceilings         *ceilings
		Floors           []floor
	}{Gate: g}
	if g != nil {
		ruler, err := parseRuler(g.Ruler)
		if err != nil {
			return nil, err
		}
		view.Single, view.Together = compare(g.Bench, ruler)
		if view.Ceilings, err = parseCeilings(g.Ceilings); err != nil {
			return nil, err
		}
		view.Floors = view.Ceilings.floors(g.Bench)
	}
	t, err := template.New("bench").Funcs(template.FuncMap{"count": count}).Parse(page)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, view); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
