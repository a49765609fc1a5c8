package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"flowbench/experiments/page"
	"flowbench/experiments/study"
)

// Event is what a page hears of a study.
type Event struct {
	// Version changes when a trial has ended: the document then has news.
	Version  string        `json:"version"`
	Progress page.Progress `json:"progress"`
}

// watched is a study that any number of pages look at, which read it no more
// often than one of them would.
type watched struct {
	study *study.Study
	every time.Duration

	mu        sync.Mutex
	collector *page.Collector
	event     Event
	looked    time.Time
	raw       []byte // the document as of version
	version   string
}

func newWatched(st *study.Study, every time.Duration) *watched {
	return &watched{study: st, every: every, collector: page.NewCollector(st)}
}

// look is how the study stands, as of the last moment.
func (w *watched) look(ctx context.Context) (Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lookLocked(ctx)
}

func (w *watched) lookLocked(ctx context.Context) (Event, error) {
	if time.Since(w.looked) < w.every/2 {
		return w.event, nil
	}
	progress, version, err := w.collector.Progress(ctx)
	if err != nil {
		return Event{}, err
	}
	w.event, w.looked = Event{Version: version, Progress: progress}, time.Now()
	return w.event, nil
}

// document is the study's document, made anew where a trial has ended since.
func (w *watched) document(ctx context.Context) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	event, err := w.lookLocked(ctx)
	if err != nil {
		return nil, err
	}
	if w.raw != nil && w.version == event.Version {
		return w.raw, nil
	}
	document, err := w.collector.Collect(ctx)
	if err != nil {
		return nil, err
	}
	document.Live = true
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	w.raw, w.version = raw, event.Version
	return raw, nil
}
