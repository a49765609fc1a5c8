package disktest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"flowbench/train/checkpoint"
)

// Memory is a disk in memory that knows what is durable: the content of a file
// when it was last synced, and the names in a folder when that was. It has every
// folder that is asked for. It may be used by several goroutines.
type Memory struct {
	mu      sync.Mutex
	names   map[string]*inode // by path, as processes see it
	durable map[string]*inode // as the disk has it
	pending []change          // of names, not yet synced
}

// inode is a file's content.
type inode struct{ content, durable []byte }

// change is what became of a name: it is now of file, or of none. A rename takes
// another name away with it, as one.
type change struct {
	path string
	file *inode
	from string
}

// NewMemory returns an empty disk.
func NewMemory() *Memory {
	return &Memory{names: map[string]*inode{}, durable: map[string]*inode{}}
}

// Loss is what a power failure takes.
type Loss int

// Losses. Journals of file systems keep names in order, or with less care in any.
const (
	Nothing  Loss = iota // a process died, the machine did not
	Unsynced             // content and names that were not synced
	Content              // content alone: names were as they are seen
	Reversed             // content, and of every two changes of names the earlier
)

// Losses lists every Loss.
func Losses() []Loss { return []Loss{Nothing, Unsynced, Content, Reversed} }

func (l Loss) String() string {
	return [...]string{Nothing: "nothing", Unsynced: "all that was not synced", Content: "content that was not synced", Reversed: "content and every other name"}[l]
}

// Lose lets the power fail and come back. Files that were open are no longer of
// this disk.
func (m *Memory) Lose(loss Loss) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if loss == Nothing {
		m.syncAll()
		return
	}
	for i, c := range m.pending {
		if loss == Content || loss == Reversed && i%2 == 1 {
			m.apply(c)
		}
	}
	m.pending = nil
	m.names = map[string]*inode{}
	for path, file := range m.durable {
		again := &inode{slices.Clone(file.durable), slices.Clone(file.durable)}
		m.names[path], m.durable[path] = again, again
	}
}

func (m *Memory) syncAll() {
	for _, c := range m.pending {
		m.apply(c)
	}
	m.pending = nil
	for _, file := range m.names {
		file.durable = slices.Clone(file.content)
	}
}

func (m *Memory) apply(c change) { c.to(m.durable) }

func (m *Memory) change(c change) {
	c.to(m.names)
	m.pending = append(m.pending, c)
}

func (c change) to(names map[string]*inode) {
	delete(names, c.from)
	if c.file == nil {
		delete(names, c.path)
	} else {
		names[c.path] = c.file
	}
}

// Open is checkpoint.Disk's.
func (m *Memory) Open(path string, flag int) (checkpoint.Handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path = filepath.Clean(path)
	file := m.names[path]
	switch {
	case file == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case file != nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrExist}
	case file == nil:
		file = &inode{}
		m.change(change{path: path, file: file})
	case flag&os.O_TRUNC != 0:
		file.content = nil
	case flag&os.O_APPEND == 0:
		panic("disktest: Memory writes new files and at the end of others")
	}
	return &memoryHandle{m, file}, nil
}

// Read is checkpoint.Disk's.
func (m *Memory) Read(path string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	file := m.names[filepath.Clean(path)]
	if file == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return slices.Clone(file.content), nil
}

// List is checkpoint.Disk's.
func (m *Memory) List(folder string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for path := range m.names {
		if filepath.Dir(path) == filepath.Clean(folder) {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Rename is checkpoint.Disk's.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to = filepath.Clean(from), filepath.Clean(to)
	file := m.names[from]
	if file == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	m.change(change{path: to, file: file, from: from})
	return nil
}

// Remove is checkpoint.Disk's.
func (m *Memory) Remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	path = filepath.Clean(path)
	if m.names[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	m.change(change{path: path})
	return nil
}

// SyncFolder is checkpoint.Disk's.
func (m *Memory) SyncFolder(folder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = slices.DeleteFunc(m.pending, func(c change) bool {
		inside := filepath.Dir(c.path) == filepath.Clean(folder)
		if inside {
			m.apply(c)
		}
		return inside
	})
	return nil
}

// Files is the content of every file, by path.
func (m *Memory) Files() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[string]string{}
	for path, file := range m.names {
		files[path] = string(file.content)
	}
	return files
}

type memoryHandle struct {
	disk *Memory
	file *inode
}

func (h *memoryHandle) Write(p []byte) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.file.content = append(h.file.content, p...)
	return len(p), nil
}

func (h *memoryHandle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.file.durable = slices.Clone(h.file.content)
	return nil
}

func (h *memoryHandle) Close() error { return nil }
