package study

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"flowbench/experiments/slurm"
	"flowbench/experiments/store"
)

// Status is how a study is getting on.
type Status struct {
	Study    string              `json:"study"`
	Folder   string              `json:"folder"`
	Trials   map[store.State]int `json:"trials"`  // by state
	Waiting  int                 `json:"waiting"` // of the planned ones, those that wait for others
	Stopped  string              `json:"stopped,omitempty"`
	Workers  []WorkerStatus      `json:"workers"`
	Tasks    []slurm.Task        `json:"tasks,omitempty"` // of Slurm
	Spent    *Spent              `json:"spent"`
	Versions int                 `json:"versions"` // of the plan
}

// WorkerStatus is a worker that has not ended.
type WorkerStatus struct {
	Name   string        `json:"name"`
	Device string        `json:"device"`
	Job    string        `json:"job,omitempty"`
	Trials []int         `json:"trials"`
	Silent time.Duration `json:"silent"` // since it was last heard of
}

// Status reads how the study stands at a time.
func (s *Study) Status(ctx context.Context, now time.Time) (*Status, error) {
	trials, err := s.Store.States(ctx)
	if err != nil {
		return nil, err
	}
	st := &Status{Study: s.Spec.Name, Folder: s.Dir, Trials: stateCounts(trials), Versions: len(s.Plan.versions)}
	held := map[string][]int{}
	for _, t := range trials {
		if t.State == store.Running {
			held[t.Worker] = append(held[t.Worker], t.Index)
		}
		if t.State == store.Planned && t.Waits {
			st.Waiting++
		}
	}
	control, err := s.Store.Control(ctx)
	if err != nil {
		return nil, err
	}
	if control.Stopped {
		st.Stopped = control.Kind + ": " + control.Reason
	}
	workers, err := s.Store.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range workers {
		if !w.Ended && (len(held[w.Name]) > 0 || now.Sub(w.Heard) < leaseTime) {
			st.Workers = append(st.Workers, WorkerStatus{w.Name, w.Device, w.Job, held[w.Name], now.Sub(w.Heard)})
		}
	}
	if st.Spent, err = s.Spent(ctx); err != nil {
		return nil, err
	}
	st.Tasks, err = s.Tasks(ctx)
	return st, err
}

// WriteJSON writes one object.
func (s *Status) WriteJSON(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(s); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// Write tells it in words and a table.
func (s *Status) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "study %s in %s", s.Study, s.Folder)
	if s.Versions > 1 {
		fmt.Fprintf(&b, ", extended: %s of the plan", counted(s.Versions, "version"))
	}
	var counts []string
	for _, state := range []store.State{store.Done, store.Pruned, store.Diverged, store.Failed, store.Running, store.Planned, store.Stale} {
		if n := s.Trials[state]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
		}
	}
	fmt.Fprintf(&b, "\ntrials: %s", strings.Join(counts, ", "))
	if s.Waiting > 0 {
		fmt.Fprintf(&b, " (%d of them wait for others)", s.Waiting)
	}
	fmt.Fprintf(&b, "\nused: %s of workers' time", s.Spent.Wall.Round(time.Second))
	if s.Spent.GPUHours > 0 {
		fmt.Fprintf(&b, ", %.3g GPU hours", s.Spent.GPUHours)
	}
	fmt.Fprintln(&b)
	if s.Stopped != "" {
		fmt.Fprintf(&b, "stopped, %s\n", s.Stopped)
	}
	s.writeWorkers(&b)
	for _, t := range s.Tasks {
		fmt.Fprintf(&b, "slurm task %s: %s (%s)\n", t.Job, t.State, t.Reason)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

func (s *Status) writeWorkers(w io.Writer) {
	if len(s.Workers) == 0 {
		fmt.Fprintln(w, "no worker is at work")
		return
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "worker\tdevice\tjob\ttrials\tlast heard of")
	for _, k := range s.Workers {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s ago\n", k.Name, k.Device, k.Job, strings.Trim(fmt.Sprint(k.Trials), "[]"), k.Silent.Round(time.Second))
	}
	out.Flush() // a strings.Builder's writes never fail
}
