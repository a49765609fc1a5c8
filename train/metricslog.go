package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// EpochMetrics is one line of metrics.jsonl: what an epoch of a member gave.
// It holds no time of day, so that equal trials write equal files.
type EpochMetrics struct {
	Member       int                `json:"member"` // from 0
	Epoch        int                `json:"epoch"`  // from 1
	Step         uint64             `json:"step"`   // optimiser steps so far
	LearningRate float64            `json:"learning_rate"`
	Values       map[string]float64 `json:"metrics"` // "train.loss", "validation.average_precision", ...; what is not evaluable is left out
}

// metricsLog appends to a metrics.jsonl. One writer owns it.
type metricsLog struct {
	path string
	file *os.File
}

func openMetricsLog(path string) (*metricsLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &metricsLog{path, f}, nil
}

func (l *metricsLog) Close() error { return l.file.Close() }

func (l *metricsLog) append(m EpochMetrics) error {
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("metrics: writing %s: %w", l.path, err)
	}
	return nil
}

// sync returns when what was appended is on the disk.
func (l *metricsLog) sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("metrics: writing %s: %w", l.path, err)
	}
	return nil
}

// truncate drops the given member's lines after the given epoch, and a torn last
// line: those epochs are to be trained again. Members are trained one after
// another, so that nothing else stands behind what is dropped.
func (l *metricsLog) truncate(member, epoch int) error {
	raw, err := os.ReadFile(l.path)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	keep := 0
	for lines := bufio.NewReader(bytes.NewReader(raw)); ; {
		line, err := lines.ReadBytes('\n')
		var m EpochMetrics
		if err != nil || json.Unmarshal(line, &m) != nil {
			break
		}
		if m.Member == member && m.Epoch > epoch {
			break
		}
		keep += len(line)
	}
	if err := l.file.Truncate(int64(keep)); err != nil {
		return fmt.Errorf("metrics: truncating %s: %w", l.path, err)
	}
	return nil
}

// ReadMetrics reads a metrics.jsonl. A torn last line, which a crash leaves, is left out.
func ReadMetrics(path string) ([]EpochMetrics, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	var all []EpochMetrics
	for n, line := range bytes.SplitAfter(raw, []byte("\n")) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var m EpochMetrics
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("metrics: %s:%d: %w", path, n+1, err)
		}
		all = append(all, m)
	}
	return all, nil
}
