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
	"strings"
	"time"

	"flowbench/experiments/bench"
)

// output runs a command with further environment and returns what it prints.
func output(ctx context.Context, environment []string, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, lastLine(log.String()))
	}
	return out.String(), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// objects runs flowbench bench and decodes its lines of JSON.
func objects[R any](ctx context.Context, s settings, args ...string) ([]R, error) {
	command := append([]string{s.flowbench(), "bench"}, args...)
	if s.data != "" {
		command = append(command, "--data", s.data)
	}
	out, err := output(ctx, nil, append(command, "--json")...)
	if err != nil {
		return nil, err
	}
	var all []R
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var r R
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
		}
		all = append(all, r)
	}
}

// ourSteps measures the rulers' steps once.
func ourSteps(ctx context.Context, s settings) ([]bench.StepResult, error) {
	return objects[bench.StepResult](ctx, s, "step", "--repeat", "1", "--during", s.during)
}

func ourCSV(ctx context.Context, s settings) ([]bench.CSVResult, error) {
	return objects[bench.CSVResult](ctx, s, "csv", "--repeat", "1")
}
