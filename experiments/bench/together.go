package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Together runs a command in so many processes at once and returns the sum of
// the samples_per_second that they print. Each must Await before it measures, so
// that they begin together, and print one JSON object after it. What one writes
// to stderr is shown where it fails. When ctx ends so do they.
func Together(ctx context.Context, processes int, command, environment []string) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []*process
	var err error
	for range processes {
		p, starting := start(ctx, command, environment)
		if err = starting; err != nil {
			break
		}
		all = append(all, p)
	}
	sum := 0.0
	if err == nil {
		sum, err = gather(all)
	}
	if err != nil {
		cancel() // those that are left need not go on
	}
	for _, p := range all {
		if ending := p.cmd.Wait(); ending != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %s", command[0], ending, strings.TrimSpace(p.log.String())))
		}
	}
	return sum, err
}

// process is a command with which a line is exchanged.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	log strings.Builder // to be read when it has ended
}

func start(ctx context.Context, command, environment []string) (*process, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	p := &process{cmd: cmd}
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stderr = &p.log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second // for one that does not answer
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, cmd.Start()
}

// readyLine is what a process says when it has only to measure.
const readyLine = "ready\n"

// gather lets all begin once all are ready, and adds what they find.
func gather(all []*process) (sum float64, err error) {
	for _, p := range all {
		if line, err := p.out.ReadString('\n'); line != readyLine {
			return 0, errors.Join(fmt.Errorf("a process says %q before it measures", line), err)
		}
	}
	for _, p := range all {
		if _, err := io.WriteString(p.in, "begin\n"); err != nil {
			return 0, err
		}
	}
	for _, p := range all {
		var r struct {
			SamplesPerSecond float64 `json:"samples_per_second"`
		}
		if err := json.NewDecoder(p.out).Decode(&r); err != nil {
			return 0, fmt.Errorf("a process that measures: %w", err)
		}
		if !(r.SamplesPerSecond > 0) {
			return 0, errors.New("a process that measures gave no samples_per_second")
		}
		sum += r.SamplesPerSecond
	}
	return sum, nil
}

// Await says on out that only measuring is left and waits for the word on in. It
// is an error when in ends first, as it does when whoever waits is gone.
func Await(in io.Reader, out io.Writer) error {
	if _, err := io.WriteString(out, readyLine); err != nil {
		return err
	}
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return fmt.Errorf("bench: waiting to begin: %w", err)
	}
	return nil
}
