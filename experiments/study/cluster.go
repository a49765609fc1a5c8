package study

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flowbench/experiments/compare"
	"flowbench/experiments/slurm"
	"flowbench/experiments/store"
	"flowbench/train/checkpoint"
)

const (
	clusterName = "slurm" // folder of the jobs' numbers and logs
	jobsName    = "jobs.json"
	// clusterTime is how often a launcher looks at its jobs.
	clusterTime = 3 * time.Second
	// queuePatience is for how long Slurm may refuse to list them, as while its
	// controller is started again, before the launcher gives up.
	queuePatience = 2 * time.Minute
	// maxArrays is how many job arrays may end in a row, without a trial ending in
	// between, before the launcher gives up.
	maxArrays = 3
)

// Cluster runs what is left of a study in job arrays of Slurm.
type Cluster struct {
	Study *Study
	// Command is the program and arguments of a worker in the study's folder. It
	// finds its store by --served, which is added where Serve is not empty.
	Command []string
	// Serve is the address at which the launcher serves the store of the study's
	// folder; empty where workers reach the store by themselves.
	Serve string
	// Detach ends Run as soon as the jobs are submitted.
	Detach bool
	Say    io.Writer
	Watch  func(Progress)

	every    time.Duration // how often it looks at its jobs; 0: clusterTime
	patience time.Duration // with a Slurm that does not answer; 0: queuePatience
}

// Run submits workers, unless some of an earlier run are still there, and watches
// until every trial has ended, submitting more where all have gone before that.
// It then writes and returns the comparison, as Sweep.Run does. When ctx ends the
// jobs go on; the same command watches them again.
func (c *Cluster) Run(ctx context.Context) (*compare.Table, error) {
	if c.Study.Spec.Sweep == nil || c.Study.Spec.Sweep.Slurm == nil {
		return nil, errors.New("the spec has no section sweep.slurm: say there what each worker needs, such as {workers: 4, cpus: 8, time: 4h}")
	}
	if err := os.MkdirAll(filepath.Join(c.Study.Dir, clusterName), 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	if err := c.Study.begin(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served, err := c.serve(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.watch(ctx, served); err != nil {
		return nil, err
	}
	if c.Detach {
		return nil, nil
	}
	return c.Study.finish(ctx)
}

// serve serves the store until ctx ends, where there is an address for it. The
// channel yields the error that the server ended with.
func (c *Cluster) serve(ctx context.Context) (<-chan error, error) {
	if c.Serve == "" {
		return nil, nil
	}
	server := &store.Server{Store: c.Study.Store, Token: store.NewToken(), Addr: c.Serve}
	url, err := c.listen(server)
	if err != nil {
		return nil, err
	}
	if err := c.Study.keepServed(served{url, server.Token}); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	return ended, nil
}

// listen takes the address and token of a launcher before this one, if there was
// one and the address is free, so that the workers that it left are served again.
func (c *Cluster) listen(server *store.Server) (string, error) {
	var before served
	if readJSON(filepath.Join(c.Study.Dir, servedName), &before) == nil {
		again := *server
		again.Token, again.Addr = before.Token, strings.TrimPrefix(before.URL, "http://")
		if at, err := again.Listen(); err == nil {
			*server = again
			return at, nil
		}
	}
	return server.Listen()
}

// watch keeps workers in the cluster's queue until every trial has ended.
func (c *Cluster) watch(ctx context.Context, served <-chan error) error {
	idle, queue := idleArrays{ended: -1}, outage{patience: cmp.Or(c.patience, queuePatience)}
	for {
		if over, err := c.overOrStopped(ctx); over || err != nil {
			return err
		}
		tasks, err := c.Study.Tasks(ctx)
		if err != nil {
			if err := c.bear(ctx, &queue, err); err != nil {
				return err
			}
		} else {
			queue.since = time.Time{}
			if err := c.fill(ctx, tasks, &idle); err != nil || c.Detach {
				return err
			}
		}
		if c.Watch != nil {
			if p, err := c.Study.progress(ctx, false); err == nil {
				c.Watch(*p)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-served:
			return fmt.Errorf("the store is served no more: %w", err)
		case <-time.After(cmp.Or(c.every, clusterTime)):
		}
	}
}

// outage is the time since which Slurm has not listed the tasks; zero while it does.
type outage struct {
	since    time.Time
	patience time.Duration
}

// bear says once that Slurm does not list the tasks, and returns why when it has
// not done so for longer than o's patience.
func (c *Cluster) bear(ctx context.Context, o *outage, why error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case o.since.IsZero():
		o.since = time.Now()
		fmt.Fprintf(c.Say, "Slurm does not list the jobs, and is asked again for %v: %v\n", o.patience, why)
	case time.Since(o.since) > o.patience:
		return fmt.Errorf("for %v Slurm has not listed the jobs, which go on; the same command watches them again: %w", o.patience, why)
	}
	return nil
}

// idleArrays counts the submissions in a row, before which so many trials had ended.
type idleArrays struct{ count, ended int }

// fill submits workers where none are left in the queue: an error where that was
// done maxArrays times and no trial has ended since.
func (c *Cluster) fill(ctx context.Context, tasks []slurm.Task, idle *idleArrays) error {
	// Those that Slurm holds may wait for ever: others take their place.
	if slices.ContainsFunc(tasks, func(t slurm.Task) bool { return !t.Held() }) {
		return nil
	}
	ended, err := c.Study.ended(ctx)
	if err != nil {
		return err
	}
	if idle.count++; ended > idle.ended {
		*idle = idleArrays{1, ended}
	}
	if idle.count > maxArrays {
		return fmt.Errorf("%d job arrays ended in a row and no trial did; what their workers said is in %s", maxArrays, filepath.Join(c.Study.Dir, clusterName))
	}
	return c.submit(ctx)
}

// overOrStopped also records what is due, so that a study whose workers have all
// ended is seen to be over.
func (c *Cluster) overOrStopped(ctx context.Context) (bool, error) {
	if err := c.Study.conduct(ctx); err != nil {
		return false, err
	}
	if over, err := c.Study.over(ctx); over || err != nil {
		return over, err
	}
	control, err := c.Study.Store.Control(ctx)
	return control.Stopped, err
}

// submit sends the workers that the spec asks for, and records their jobs.
func (c *Cluster) submit(ctx context.Context) error {
	o := c.Study.Spec.Sweep.Slurm
	command := c.Command
	if c.Serve != "" {
		command = append(slices.Clone(command), "--served")
	}
	logs, err := filepath.Abs(filepath.Join(c.Study.Dir, clusterName))
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	jobs, err := slurm.Submit(ctx, slurm.Array{
		Name: c.Study.Spec.Name, Logs: logs, Command: command,
		Workers: o.Workers, Throttle: o.Throttle, Partition: o.Partition, GPUs: o.GPUs, CPUs: o.CPUs,
		Memory: int64(o.Memory), Time: time.Duration(o.Time), Warn: time.Duration(o.Warn), Extra: o.Extra,
	})
	if len(jobs) > 0 {
		known, readErr := c.Study.Jobs()
		err = errors.Join(err, readErr, c.Study.keepJobs(append(known, jobs...)))
		fmt.Fprintf(c.Say, "submitted %d workers to Slurm as job %v\n", o.Workers, jobs)
	}
	return err
}

// Jobs lists the numbers of the job arrays that were submitted for the study.
func (s *Study) Jobs() ([]string, error) {
	var jobs []string
	err := readJSON(filepath.Join(s.Dir, clusterName, jobsName), &jobs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return jobs, err
}

func (s *Study) keepJobs(jobs []string) error {
	raw, err := json.Marshal(jobs)
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	return explain(checkpoint.WriteFile(filepath.Join(s.Dir, clusterName, jobsName), append(raw, '\n')))
}

// Tasks lists the study's tasks that wait or run in the cluster.
func (s *Study) Tasks(ctx context.Context) ([]slurm.Task, error) {
	jobs, err := s.Jobs()
	if err != nil {
		return nil, err
	}
	return slurm.Queue(ctx, jobs)
}

// Cancel stops the study: workers save their trials and end, and jobs that wait
// in a cluster's queue are taken out of it.
func (s *Study) Cancel(ctx context.Context, now time.Time) error {
	if err := s.stop(ctx, StopCancelled, "somebody cancelled it; the sweep's own command goes on with it", now); err != nil {
		return err
	}
	jobs, err := s.Jobs()
	if err != nil {
		return err
	}
	return slurm.Cancel(ctx, jobs)
}
