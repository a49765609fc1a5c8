package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

func deviceFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "device",
		Value: "auto",
		Usage: "what trains: `auto`, which says what it chose and why, or cpu",
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
	device, simd string // as another flowbench is told them
	backend      kernels.Backend
}

// flags are the words that make another flowbench choose the same.
func (c choice) flags() []string { return []string{"--device", c.device, "--simd", c.simd} }

// chooseDevice reads --device and --simd. A device or level that there is none
// of by that name is wrong use; one that this program or machine lacks is an error.
func chooseDevice(c *cli.Context) (choice, error) {
	backend, err := chooseLevel(c.String("simd"), cpu.Open)
	if err != nil {
		return choice{}, err
	}
	device, err := deviceNamed(c.String("device"), backend.Name(), c.App.ErrWriter)
	return choice{device, c.String("simd"), backend}, err
}

// chooseLevel opens the backend of a level; open is cpu.Open.
func chooseLevel(wish string, open func(string) (kernels.Backend, error)) (kernels.Backend, error) {
	if !slices.Contains(simdLevels, wish) {
		return nil, usageError(fmt.Sprintf("--simd %s is none that there is: write %s%s", wish, strings.Join(simdLevels, ", "), didYouMean(wish, simdLevels)))
	}
	backend, err := open(wish)
	if err != nil {
		return nil, fmt.Errorf("--simd %s: %w; use --simd auto", wish, err)
	}
	return backend, nil
}

// deviceNamed says what a wish for a device comes to in this program, whose
// cpu backend is the given one.
func deviceNamed(wish, cpuName string, log io.Writer) (string, error) {
	name, number, numbered := strings.Cut(wish, ":")
	_, err := strconv.ParseUint(number, 10, 16)
	switch {
	case wish == "cpu":
		return "cpu", nil
	case wish == "auto":
		fmt.Fprintf(log, "device: %s (this program is built without CUDA)\n", cpuName)
		return "cpu", nil
	case name == "cuda" && (!numbered || err == nil):
		return "", fmt.Errorf("--device %s: this program is built without CUDA and trains on the cpu alone; use --device cpu or auto", wish)
	}
	return "", usageError(fmt.Sprintf("--device %s is none that there is: write auto, cpu, cuda or cuda:0", wish))
}
