package store_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite/lib"
)

// faults is a virtual file system of SQLite's (https://www.sqlite.org/vfs.html)
// that passes everything on to the operating system's, and fails an operation
// that changes files when it is told to. SQLite's own tests fail operations in
// the same way; unlike a full disk or a killed process, it reaches every one.
// There is one, since what SQLite calls are functions without a receiver.
var faults = faultyFiles{
	methods: map[uintptr]uintptr{}, paths: map[uintptr]string{},
}

type faultyFiles struct {
	once sync.Once
	mu   sync.Mutex
	// The failAt-th operation fails, counted from 1, as fault says.
	failAt, counted int
	fault           fault
	durable         map[string][]byte   // what files held when they were last synchronised
	touched         map[string]bool     // files that were opened
	methods         map[uintptr]uintptr // ours, of the operating system's and back
	paths           map[uintptr]string  // of open files
	system          uintptr             // the operating system's file system
}

// fault is how an operation fails.
type fault int

const (
	failsOnce fault = iota // the one operation fails, as on a full disk
	killed                 // nothing is done any more, as by a process that was killed
	powerCut               // and what was not synchronised is lost
)

const faultyName = "faulty"

// arm begins to count.
func (f *faultyFiles) arm(fault fault, failAt int) {
	f.once.Do(f.register)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.failAt, f.counted = fault, failAt, 0
	f.durable, f.touched = map[string][]byte{}, map[string]bool{}
}

// keep says that what a file holds was synchronised.
func (f *faultyFiles) keep(t *testing.T, path string) {
	t.Helper()
	held, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.durable[path], f.touched[path] = held, true
}

// disarm ends the counting. After a power cut it leaves on disk what was
// synchronised. It returns how many operations there were.
func (f *faultyFiles) disarm() (counted int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	cut := f.fault == powerCut && f.failAt > 0 && f.counted >= f.failAt
	f.failAt = 0
	if !cut {
		return f.counted, nil
	}
	for path := range f.touched {
		if kept, known := f.durable[path]; known {
			err = errors.Join(err, os.WriteFile(path, kept, 0o644))
		} else if gone := os.Remove(path); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		os.Remove(path + "-shm") // is memory, and not there for every file
	}
	return f.counted, err
}

// fails counts an operation.
func (f *faultyFiles) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counted++
	return f.failAt > 0 && (f.counted == f.failAt || f.counted > f.failAt && f.fault != failsOnce)
}

// pointer is an address that is not Go's.
func pointer[T any](at uintptr) *T { return *(**T)(unsafe.Pointer(&at)) }

// function is the function whose address SQLite keeps, and address the reverse
// for one that is declared.
func function[F any](at uintptr) F { return *(*F)(unsafe.Pointer(&at)) }
func address[F any](f F) uintptr   { return *(*uintptr)(unsafe.Pointer(&f)) }

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc   = func(tls *libc.TLS, vfs, name uintptr, syncFolder int32) int32
	writeFunc    = func(tls *libc.TLS, file, from uintptr, n int32, at int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	shmMapFunc   = func(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32
)

func (f *faultyFiles) register() {
	tls := libc.NewTLS()
	f.system = sqlite3.Xsqlite3_vfs_find(tls, 0)
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	name, err := libc.CString(faultyName)
	if err != nil || ours == 0 {
		panic("no memory")
	}
	vfs := pointer[sqlite3.Tsqlite3_vfs](ours)
	*vfs = *pointer[sqlite3.Tsqlite3_vfs](f.system)
	vfs.FzName, vfs.FpNext = name, 0
	vfs.FxOpen, vfs.FxDelete = address[openFunc](faultyOpen), address[deleteFunc](faultyDelete)
	if code := sqlite3.Xsqlite3_vfs_register(tls, ours, 0); code != 0 {
		panic("the faulty file system cannot be registered")
	}
}

func faultyOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	if faults.fails() {
		pointer[sqlite3.Tsqlite3_file](file).FpMethods = 0
		return sqlite3.SQLITE_CANTOPEN
	}
	code := function[openFunc](pointer[sqlite3.Tsqlite3_vfs](faults.system).FxOpen)(tls, vfs, name, file, flags, out)
	if code == sqlite3.SQLITE_OK && name != 0 {
		faults.adopt(tls, file, libc.GoString(name))
	}
	return code
}

// adopt puts our methods between SQLite and an open file.
func (f *faultyFiles) adopt(tls *libc.TLS, file uintptr, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paths[file], f.touched[path] = path, true
	opened := pointer[sqlite3.Tsqlite3_file](file)
	ours := f.methods[opened.FpMethods]
	if ours == 0 {
		ours = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
		methods := pointer[sqlite3.Tsqlite3_io_methods](ours)
		*methods = *pointer[sqlite3.Tsqlite3_io_methods](opened.FpMethods)
		methods.FxWrite, methods.FxTruncate = address[writeFunc](faultyWrite), address[truncateFunc](faultyTruncate)
		methods.FxSync, methods.FxShmMap = address[syncFunc](faultySync), address[shmMapFunc](faultyShmMap)
		f.methods[opened.FpMethods], f.methods[ours] = ours, opened.FpMethods
	}
	opened.FpMethods = ours
}

// system is the operating system's methods of a file.
func systemOf(file uintptr) *sqlite3.Tsqlite3_io_methods {
	faults.mu.Lock()
	defer faults.mu.Unlock()
	return pointer[sqlite3.Tsqlite3_io_methods](faults.methods[pointer[sqlite3.Tsqlite3_file](file).FpMethods])
}

// faultyWrite writes half of what it cannot write, as a disk may.
func faultyWrite(tls *libc.TLS, file, from uintptr, n int32, at int64) int32 {
	write := function[writeFunc](systemOf(file).FxWrite)
	if faults.fails() {
		if faults.first() {
			write(tls, file, from, n/2, at)
		}
		return sqlite3.SQLITE_FULL
	}
	return write(tls, file, from, n, at)
}

// first says whether the operation that failed was the one that was to.
func (f *faultyFiles) first() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counted == f.failAt
}

func faultyTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	if faults.fails() {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	return function[truncateFunc](systemOf(file).FxTruncate)(tls, file, size)
}

func faultySync(tls *libc.TLS, file uintptr, flags int32) int32 {
	if faults.fails() {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	code := function[syncFunc](systemOf(file).FxSync)(tls, file, flags)
	faults.mu.Lock()
	defer faults.mu.Unlock()
	if held, err := os.ReadFile(faults.paths[file]); err == nil && code == sqlite3.SQLITE_OK {
		faults.durable[faults.paths[file]] = held
	}
	return code
}

func faultyShmMap(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32 {
	if faults.fails() {
		return sqlite3.SQLITE_IOERR_SHMMAP
	}
	return function[shmMapFunc](systemOf(file).FxShmMap)(tls, file, region, size, extend, out)
}

func faultyDelete(tls *libc.TLS, vfs, name uintptr, syncFolder int32) int32 {
	if faults.fails() {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	path := strings.Clone(libc.GoString(name))
	faults.mu.Lock()
	delete(faults.durable, path)
	faults.mu.Unlock()
	return function[deleteFunc](pointer[sqlite3.Tsqlite3_vfs](faults.system).FxDelete)(tls, vfs, name, syncFolder)
}
