package tensorboard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"flowbench/train"
)

// Log appends to the event file of a trial that is being trained. One Log owns
// the file. Its events are in the file when a method returns, but are not synced:
// what a power cut takes is trained or written again.
type Log struct {
	file  *os.File
	clock func() time.Time
	seen  state
}

// Open opens the event file in the trial's folder dir, or begins it. Of a file
// that is there it keeps what is whole and undamaged; a torn end, which a crash
// leaves, is cut off. Epochs that the file has are not written again, so that a
// trial that goes on from a checkpoint shows each once. The caller closes the Log.
func Open(dir string, s Session, clock func() time.Time) (*Log, error) {
	path := filepath.Join(dir, FileName)
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	kept, seen := whole(raw)
	l := &Log{clock: clock, seen: seen}
	if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	if err := l.begin(kept, len(raw), s); err != nil {
		l.file.Close()
		return nil, fmt.Errorf("tensorboard: %s: %w", path, err)
	}
	return l, nil
}

// begin cuts the file to what is kept, and starts the session where none is.
func (l *Log) begin(kept, size int, s Session) error {
	started := l.seen.started
	if !started {
		kept, l.seen = 0, state{epochs: written{}}
	}
	if kept < size {
		if err := l.file.Truncate(int64(kept)); err != nil {
			return err
		}
	}
	if started {
		return nil
	}
	now := l.clock()
	start, err := startEvent(now, s)
	if err != nil {
		return err
	}
	return writeRecords(l.file, versionEvent(now), start)
}

// Epoch appends an epoch, unless the file has it.
func (l *Log) Epoch(m train.EpochMetrics) error {
	if !l.seen.epochs.add(m) {
		return nil
	}
	return l.write(epochEvent(l.clock(), m))
}

// End appends the results and how the trial ended, unless the file says so already.
func (l *Log) End(results map[string]float64, status Status) error {
	if l.seen.ended {
		return nil
	}
	if l.seen.results {
		results = nil
	}
	l.seen.ended = true
	return l.write(endEvents(l.clock(), l.seen.epochs.last(), results, status)...)
}

func (l *Log) write(events ...[]byte) error {
	if err := writeRecords(l.file, events...); err != nil {
		return fmt.Errorf("tensorboard: writing %s: %w", l.file.Name(), err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// state is how far a file has come.
type state struct {
	started, results, ended bool
	epochs                  written
}

// whole is how many bytes of raw are whole records of events of ours, and what
// they say.
func whole(raw []byte) (kept int, s state) {
	s.epochs = written{}
	for rest := raw; ; {
		data, next, ok := nextRecord(rest)
		if !ok || !s.take(data) {
			return len(raw) - len(rest), s
		}
		rest = next
	}
}

// take notes what an event says; it is false for what is no event.
func (s *state) take(data []byte) bool {
	step, tag := 0, ""
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return false
		}
		data = data[n:]
		n = protowire.ConsumeFieldValue(field, kind, data)
		if n < 0 {
			return false
		}
		switch field {
		case eventStep:
			v, _ := protowire.ConsumeVarint(data)
			step = int(v)
		case eventSummary:
			summary, _ := protowire.ConsumeBytes(data)
			tag = firstTag(summary)
		}
		data = data[n:]
	}
	s.note(step, tag)
	return true
}

func (s *state) note(step int, tag string) {
	switch {
	case tag == startTag:
		s.started = true
	case tag == endTag:
		s.ended = true
	case strings.HasPrefix(tag, resultPrefix):
		s.results = true
	case tag == "":
	default:
		member := 0
		if text, ok := strings.CutPrefix(tag, "member_"); ok {
			text, _, _ = strings.Cut(text, "/")
			member, _ = strconv.Atoi(text)
		}
		s.epochs[epoch{member, step}] = true
	}
}

// firstTag is the tag of the first value of a summary, "" where there is none.
func firstTag(summary []byte) string {
	_, _, n := protowire.ConsumeTag(summary)
	if n < 0 {
		return ""
	}
	value, size := protowire.ConsumeBytes(summary[n:])
	if size < 0 {
		return ""
	}
	_, _, n = protowire.ConsumeTag(value) // the tag is written first
	if n < 0 {
		return ""
	}
	text, size := protowire.ConsumeBytes(value[n:])
	if size < 0 {
		return ""
	}
	return string(text)
}
