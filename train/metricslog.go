package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"

	"flowbench/train/checkpoint"
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
//
// A trial that goes on has the log of the run before, of which a part may be of
// epochs that are to be trained again. What stands before at is known to belong;
// what stands behind is kept until truncate, for the checkpoints of later members
// count it in.
type metricsLog struct {
	disk   checkpoint.Disk
	path   string
	before []byte // what the file held when it was opened; nil once it is cut
	at     int
	sum    hash.Hash // of what stands before at
	file   checkpoint.Handle
}

// place is a length of the log, and the SHA-256 of that much.
type place struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func openMetricsLog(disk checkpoint.Disk, path string) (*metricsLog, error) {
	before, err := disk.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &metricsLog{disk: disk, path: path, before: before, sum: sha256.New()}, nil
}

func (l *metricsLog) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// here is where the log stands.
func (l *metricsLog) here() place { return place{l.at, hex.EncodeToString(l.sum.Sum(nil))} }

// has says whether p is a place further on in what the log held when it was
// opened, or the one where it stands.
func (l *metricsLog) has(p place) bool {
	if p.Bytes < l.at || p.Bytes > max(l.at, len(l.before)) {
		return false
	}
	sum := sha256.New()
	if p.Bytes == l.at {
		return p == l.here()
	}
	sum.Write(l.before[:p.Bytes])
	return p.SHA256 == hex.EncodeToString(sum.Sum(nil))
}

// advance goes on to a place that the log has.
func (l *metricsLog) advance(p place) {
	if p.Bytes > l.at {
		l.sum.Write(l.before[l.at:p.Bytes])
		l.at = p.Bytes
	}
}

// truncate drops what stands behind, and a torn last line with it, and makes the
// log ready to append to.
func (l *metricsLog) truncate() error {
	if l.file != nil {
		return nil
	}
	if l.at < len(l.before) {
		if err := checkpoint.Replace(l.disk, l.path, l.before[:l.at]); err != nil {
			return fmt.Errorf("metrics: truncating %s: %w", l.path, err)
		}
	}
	l.before = nil
	file, err := l.disk.Open(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	l.file = file
	return nil
}

// append writes a line. After an error the log is not to be appended to.
func (l *metricsLog) append(m EpochMetrics) error {
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	line = append(line, '\n')
	if _, err := l.file.Write(line); err != nil {
		return fmt.Errorf("metrics: writing %s: %w", l.path, err)
	}
	l.sum.Write(line)
	l.at += len(line)
	return nil
}

// sync returns when what was appended is on the disk.
func (l *metricsLog) sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("metrics: writing %s: %w", l.path, err)
	}
	return nil
}

// ReadMetrics reads a metrics.jsonl. A torn last line, which a crash leaves, is left out.
func ReadMetrics(path string) ([]EpochMetrics, error) { return readMetrics(checkpoint.OS{}, path) }

func readMetrics(disk checkpoint.Disk, path string) ([]EpochMetrics, error) {
	raw, err := disk.Read(path)
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
