package study

import (
	"encoding/json"
	"fmt"
	"sync"

	"flowbench/data/prepared"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
)

// datasets are the matrices that a worker's trials read. Trials of one data
// section share one; a matrix that none reads any more is kept until another is
// asked for, since the next trial mostly wants the same.
type datasets struct {
	set  *prepared.Set
	mu   sync.Mutex
	held []*held
}

type held struct {
	key   string // the data section
	users int
	once  sync.Once
	data  *dataset.Dataset
	err   error
}

// of makes the matrix of d, or returns the one that is there; release must follow.
func (s *datasets) of(d spec.Data) (*dataset.Dataset, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	h := s.take(string(raw))
	h.once.Do(func() { h.data, h.err = dataset.New(s.set, d) })
	if h.err != nil {
		s.drop(h)
	}
	return h.data, h.err
}

// take finds or begins the entry of a key, and lets go of what none reads.
func (s *datasets) take(key string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []*held
	var found *held
	for _, h := range s.held {
		if h.key == key {
			found = h
		}
		if h.key == key || h.users > 0 {
			kept = append(kept, h)
		}
	}
	if found == nil {
		found = &held{key: key}
		kept = append(kept, found)
	}
	found.users++
	s.held = kept
	return found
}

// release says that a trial reads data no more.
func (s *datasets) release(data *dataset.Dataset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if h.data == data {
			h.users--
		}
	}
}

// drop takes back a failed entry, so that the next trial tries again.
func (s *datasets) drop(failed *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.held {
		if h == failed {
			s.held = append(s.held[:i], s.held[i+1:]...)
			return
		}
	}
}
