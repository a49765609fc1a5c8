package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flowbench/train/checkpoint"
)

// FitProgress is how far the fit of a detector has come; fit.json in the trial's
// folder holds it while a fit takes long.
type FitProgress struct {
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
	// Left is how long the stage still takes at the pace so far.
	Left time.Duration `json:"left"`
}

// String is "moving centroids 12/100, about 14s left".
func (p FitProgress) String() string {
	return fmt.Sprintf("%s %d/%d, about %s left", p.Stage, p.Done, p.Total, p.Left.Round(time.Second))
}

// fitName is its file.
const fitName = "fit.json"

const (
	// longFit is how long a fit is before it tells of its progress.
	longFit = 2 * time.Second
	// fitNews is how often it does, and logNews how often in the log.
	fitNews = 500 * time.Millisecond
	logNews = 10 * time.Second
)

// fitProgress passes on what a detector reports.
type fitProgress struct {
	trial           *Trial
	now             func() time.Time
	begun           time.Time
	stage           string
	stageBegun      time.Time
	written, logged time.Time
	first           int // pieces that were done when the stage was first heard of
}

func (t *Trial) fitProgress() *fitProgress {
	return &fitProgress{trial: t, now: time.Now, begun: time.Now()}
}

// hear is a detect.Progress. What cannot be written is no reason to stop.
func (p *fitProgress) hear(stage string, done, total int) {
	now := p.now()
	if stage != p.stage {
		p.stage, p.stageBegun, p.first = stage, now, done
		return
	}
	if now.Sub(p.begun) < longFit || now.Sub(p.written) < fitNews || done <= p.first {
		return
	}
	p.written = now
	pace := now.Sub(p.stageBegun) / time.Duration(done-p.first)
	state := FitProgress{Stage: stage, Done: done, Total: total, Left: pace * time.Duration(total-done)}
	if raw, err := json.Marshal(state); err == nil {
		checkpoint.Replace(p.trial.disk(), p.trial.fitPath(), raw)
	}
	if now.Sub(p.logged) >= logNews {
		p.logged = now
		p.trial.logf("%v", state)
	}
}

// end says how long a long fit took, and removes its file.
func (p *fitProgress) end() {
	if took := p.now().Sub(p.begun); took >= longFit {
		p.trial.logf("fitted in %s", took.Round(100*time.Millisecond))
	}
	p.trial.disk().Remove(p.trial.fitPath())
}

func (t *Trial) fitPath() string { return filepath.Join(t.Dir, fitName) }

// ReadFitProgress reads how far the fit in dir has come; nil where it has not
// said, or is over.
func ReadFitProgress(dir string) (*FitProgress, error) {
	raw, err := os.ReadFile(filepath.Join(dir, fitName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fit progress: %w", err)
	}
	var p FitProgress
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("fit progress: %w", err)
	}
	return &p, nil
}
