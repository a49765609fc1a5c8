package flowcsv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is one CSV to read: a file, or whatever Open yields.
type Source struct {
	// Name identifies the source in ledgers and splits: for files the base
	// name, with as much of the folder before it as tells it from the others.
	Name string
	// Path is shown in messages in place of Name, where there is one.
	Path string
	// Size is the number of bytes, or 0 where it is not known.
	Size int64
	// Open starts a read at the first byte; the reader closes what it returns.
	Open func() (io.ReadCloser, error)
}

// place is what messages call the source.
func (s Source) place() string {
	if s.Path != "" {
		return s.Path
	}
	return s.Name
}

// File is the source of one file.
func File(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, fileError(path, err)
	}
	if !info.Mode().IsRegular() && info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return Source{}, &Error{File: path, Problem: "is not a file"}
	}
	if kind := compressedName(path); kind != "" {
		return Source{}, compressed(path, kind)
	}
	return Source{
		Name: filepath.Base(path), Path: path, Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
	}, nil
}

// Find lists the CSVs that the paths mean, each once, sorted by path. A path is
// a file, a folder (its *.csv files, hidden ones and subfolders left out), or a
// glob over both. It is an error if a path means nothing, or if a folder holds
// a compressed CSV without the plain one beside it: nothing is skipped in silence.
func Find(paths ...string) ([]Source, error) {
	if len(paths) == 0 {
		return nil, errors.New("no input: name CSV files, folders or globs")
	}
	byPath := make(map[string]Source)
	for _, path := range paths {
		matches, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, match := range matches {
			if err := find(match, byPath); err != nil {
				return nil, err
			}
		}
	}
	sources := make([]Source, 0, len(byPath))
	for _, s := range byPath {
		sources = append(sources, s)
	}
	slices.SortFunc(sources, func(x, y Source) int { return strings.Compare(filepath.ToSlash(x.Path), filepath.ToSlash(y.Path)) })
	distinguish(sources)
	return sources, nil
}

// expand is the path itself where it exists, else what it matches as a glob.
func expand(path string) ([]string, error) {
	if _, err := os.Lstat(path); err == nil || !strings.ContainsAny(path, "*?[") {
		return []string{path}, nil
	}
	matches, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("%s: bad glob: %w", path, err)
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("%s: nothing matches; check the path (a relative one starts at the current folder)", path)
	}
	return matches, nil
}

// find adds a file, or the CSVs of a folder.
func find(path string, byPath map[string]Source) error {
	info, err := os.Stat(path)
	if err != nil {
		return fileError(path, err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = folder(path); err != nil {
			return err
		}
	}
	for _, file := range files {
		source, err := File(file)
		if err != nil {
			return err
		}
		key, err := filepath.Abs(file)
		if err != nil {
			return fileError(file, err)
		}
		if _, twice := byPath[key]; !twice {
			byPath[key] = source
		}
	}
	return nil
}

// folder lists the CSVs of one folder.
func folder(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	names := make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name()] = true
	}
	var files []string
	folders := 0
	for _, e := range entries {
		name := e.Name()
		plain := strings.TrimSuffix(name, filepath.Ext(name))
		switch {
		case strings.HasPrefix(name, "."): // also ._Monday.csv, which macOS leaves in archives
		case e.IsDir():
			folders++
		case isCSV(name):
			files = append(files, filepath.Join(path, name))
		case compressedName(name) != "" && isCSV(plain) && !names[plain]:
			return nil, compressed(filepath.Join(path, name), compressedName(name))
		}
	}
	if len(files) == 0 {
		remedy := "name the folder that holds the flow records"
		if folders > 0 {
			remedy = fmt.Sprintf("its %d subfolders are not searched; name one of them", folders)
		}
		return nil, &Error{File: path, Problem: "the folder holds no .csv file", Remedy: remedy}
	}
	return files, nil
}

func isCSV(name string) bool { return strings.EqualFold(filepath.Ext(name), ".csv") }

// distinguish puts parent folders before names that several sources share.
func distinguish(sources []Source) {
	for depth := 2; ; depth++ {
		count := make(map[string]int)
		for _, s := range sources {
			count[s.Name]++
		}
		changed := false
		for i := range sources {
			if s := &sources[i]; count[s.Name] > 1 {
				longer := tail(s.Path, depth)
				changed = changed || longer != s.Name
				s.Name = longer
			}
		}
		if !changed {
			return
		}
	}
}

// tail is the last n elements of the path.
func tail(path string, n int) string {
	parts := strings.Split(filepath.ToSlash(filepath.Clean(path)), "/")
	return strings.Join(parts[max(0, len(parts)-n):], "/")
}

// fileError is an error of the operating system with the path said once.
func fileError(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	e := &Error{File: path, Problem: err.Error(), Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Remedy = "no such file or folder", "check the path (a relative one starts at the current folder)"
	case errors.Is(err, fs.ErrPermission):
		e.Remedy = "make it readable"
	}
	return e
}
