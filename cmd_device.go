package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/suggest"
	"flowbench/experiments/doctor"
	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/device"
)

func deviceFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "device",
		Value: "auto",
		Usage: "what trains: `auto`, which says what it chose and why, cpu, cuda for every GPU, or cuda:0 for the first",
	}
}

func simdFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "simd",
		Value: "auto",
		Usage: "instruction set that the cpu computes with: `auto`, its best, or " + strings.Join(simdLevels[1:], ", "),
	}
}

// simdLevels is what --simd may be; whether the processor has it is another question.
var simdLevels = []string{"auto", "plain", "avx2", "avx512"}

// choice is what the wishes for a device and an instruction set come to.
type choice struct {
	device  string // "cpu" or "cuda", as a worker is told it
	simd    string
	program string        // that workers run
	gpus    []cuda.Device // a worker each
	backend kernels.Backend
}

// flags are the words that make a worker choose the same.
func (c choice) flags() []string { return []string{"--device", c.device, "--simd", c.simd} }

// pin is what the environment of a worker in a slot gets: the one GPU that it sees.
func (c choice) pin(slot int) []string {
	if len(c.gpus) == 0 {
		return nil
	}
	return []string{"CUDA_VISIBLE_DEVICES=" + c.gpus[slot%len(c.gpus)].UUID}
}

// chooseDevice reads --device and --simd for a command that starts workers. A
// device or level that there is none of by that name is wrong use; one that this
// program or machine lacks is an error.
func chooseDevice(c *cli.Context) (choice, error) {
	backend, err := chooseLevel(c.String("simd"), cpu.Open)
	if err != nil {
		return choice{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return choice{}, fmt.Errorf("device: %w", err)
	}
	chosen := choice{device: "cpu", simd: c.String("simd"), program: self, backend: backend}
	wish := c.String("device")
	ordinal, err := parseDevice(wish)
	if err != nil || wish == "cpu" {
		return chosen, err
	}
	program, gpus, err := findGPUs(c.Context)
	if err == nil && ordinal >= len(gpus) {
		err = fmt.Errorf("there are %d GPUs, counted from 0", len(gpus))
	}
	return chosen.settle(wish, ordinal, program, gpus, err, c.App.ErrWriter)
}

// settle takes the GPUs, or, where there is a reason against it, the cpu if the
// wish allows that.
func (c choice) settle(wish string, ordinal int, program string, gpus []cuda.Device, against error, log io.Writer) (choice, error) {
	switch {
	case against != nil && wish == "auto":
		fmt.Fprintf(log, "device: %s (%v)\n", c.backend.Name(), against)
		return c, nil
	case against != nil:
		return c, fmt.Errorf("--device %s: %w; use --device cpu or auto", wish, against)
	case ordinal >= 0:
		gpus = gpus[ordinal : ordinal+1]
	}
	c.device, c.program, c.gpus = "cuda", program, gpus
	for _, g := range gpus {
		fmt.Fprintf(log, "device: %s (%s)\n", g.Name, g.UUID)
	}
	return c, nil
}

// parseDevice reads the name of a device: the ordinal of a GPU, or -1 for all and none.
func parseDevice(wish string) (ordinal int, err error) {
	name, number, numbered := strings.Cut(wish, ":")
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case wish == "cpu", wish == "auto", wish == "cuda":
		return -1, nil
	case name == "cuda" && numbered && err == nil:
		return int(n), nil
	}
	return 0, usageError(fmt.Sprintf("--device %s is none that there is: write auto, cpu, cuda or cuda:0", wish))
}

// chooseLevel opens the backend of a level; open is cpu.Open.
func chooseLevel(wish string, open func(string) (kernels.Backend, error)) (kernels.Backend, error) {
	if !slices.Contains(simdLevels, wish) {
		return nil, usageError(fmt.Sprintf("--simd %s is none that there is: write %s%s", wish, strings.Join(simdLevels, ", "), suggest.DidYouMean(wish, simdLevels)))
	}
	backend, err := open(wish)
	if err != nil {
		return nil, fmt.Errorf("--simd %s: %w; use --simd auto", wish, err)
	}
	return backend, nil
}

// gpuProgram is the name of the program that is built with CUDA, beside this one.
const gpuProgram = "flowbench-gpu"

// findGPUs lists the GPUs and names the program that trains on them: this one, or
// flowbench-gpu beside it. Why there are none is the error.
func findGPUs(ctx context.Context) (program string, gpus []cuda.Device, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("device: %w", err)
	}
	if device.Built {
		gpus, err = device.List()
		if err == nil && len(gpus) == 0 {
			err = errors.New("there is no GPU")
		}
		return self, gpus, err
	}
	checks, err := askGPUProgram(ctx)
	for _, c := range checks {
		if c.Device != nil && c.State == doctor.OK {
			gpus = append(gpus, *c.Device)
		}
	}
	if err == nil && len(gpus) == 0 {
		err = errors.New("no GPU passes the self-test; see flowbench doctor")
	}
	return filepath.Join(filepath.Dir(self), gpuProgram), gpus, err
}

// askGPUProgram has flowbench-gpu check the GPUs. It runs apart because a program
// built with CUDA does not even start where there is no NVIDIA driver.
func askGPUProgram(ctx context.Context) ([]doctor.Check, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(filepath.Dir(self), gpuProgram)
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("this program is built without CUDA, and there is no %s beside it: make gpu builds it", gpuProgram)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "doctor", "--json")
	cmd.Stderr = &said
	out, err := cmd.Output()
	var checks []doctor.Check
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var check doctor.Check
		if decoder.Decode(&check) != nil {
			break
		}
		if strings.HasPrefix(check.Name, "cuda") {
			checks = append(checks, check)
		}
	}
	if len(checks) > 0 {
		return checks, nil
	}
	reason, _, _ := strings.Cut(strings.TrimSpace(said.String()+string(out)), "\n")
	return nil, fmt.Errorf("%s finds no NVIDIA driver: %s (%v)", gpuProgram, reason, err)
}

// workerBackend opens what a worker trains on, and says how many trials it trains
// at once. The caller closes it.
func workerBackend(c *cli.Context) (backend kernels.Backend, slots int, close func() error, err error) {
	wish := c.String("device")
	ordinal, err := parseDevice(wish)
	if err != nil {
		return nil, 0, nil, err
	}
	if wish == "cpu" || wish == "auto" {
		backend, err = chooseLevel(c.String("simd"), cpu.Open)
		return backend, 1, func() error { return nil }, err
	}
	driver, err := device.Open(max(ordinal, 0))
	if errors.Is(err, device.ErrNotBuilt) {
		err = fmt.Errorf("--device %s: %w; start the worker with %s", wish, err, gpuProgram)
	}
	if err != nil {
		return nil, 0, nil, err
	}
	return cuda.NewGroup(driver), driver.Device().Processors, driver.Close, nil
}
