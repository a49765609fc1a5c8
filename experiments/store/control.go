package store

import (
	"context"
	"time"
)

// Control is whether trials of a study may be claimed.
type Control struct {
	Stopped bool
	// Kind is a word for programs: cancelled, budget, failures or disk.
	Kind   string
	Reason string // in words
	At     time.Time
}

// Worker is a process that works on a study.
type Worker struct {
	Name           string // as in Claim
	Host           string
	PID            int
	Device         string // what it trains on, such as cpu/avx512 or a GPU's UUID
	GPUs           int    // how many GPUs it holds, for the budget
	Job            string // of the cluster's scheduler, such as 17_3; else empty
	Started, Heard time.Time
	Ended          bool
	Reason         string // why it ended
}

// Supervision is what a person or a launcher steers a study by, and sees of it.
type Supervision interface {
	// Control is empty until SetControl.
	Control(ctx context.Context) (Control, error)
	// SetControl stops claims or, with Stopped not set, allows them again. While a
	// study is stopped Claim returns a *StoppedError; claims that are held go on.
	SetControl(ctx context.Context, c Control) error
	// SaveWorker records a worker, or what is new of one of that name.
	SaveWorker(ctx context.Context, w Worker) error
	// Workers lists them by start and name.
	Workers(ctx context.Context) ([]Worker, error)
	// Clock is the time of the store's own clock, by which leases are kept: where
	// workers run on several machines theirs may differ.
	Clock(ctx context.Context) (time.Time, error)
}

// StoppedError says that no trial of a study may be claimed at present.
type StoppedError struct{ Control Control }

func (e *StoppedError) Error() string {
	return "the study is stopped (" + e.Control.Kind + "): " + e.Control.Reason
}
