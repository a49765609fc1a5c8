package prepared

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"flowbench/data/ledger"
)

const (
	manifestName = "manifest.json"
	// version is raised when an older reader would misread the folder.
	version = 1
)

// The arrays of a folder.
const (
	featuresName = "features.npy"
	labelsName   = "labels.npy"
	groupsName   = "groups.npy"
	filesName    = "files.npy"
)

// Manifest describes a prepared set. It holds no path and no time: equal input
// gives an equal manifest.
type Manifest struct {
	Version int `json:"version"`
	// Source is what the set was made of, in the words of whoever made it.
	Source string `json:"source"`
	// Synthetic tells that no row comes from a real network.
	Synthetic bool `json:"synthetic"`
	// Fingerprint is a SHA-256 over columns, labels and the contents of
	// features, labels and groups. Names and places of files do not enter.
	Fingerprint string   `json:"fingerprint"`
	Rows        int64    `json:"rows"`
	Columns     []string `json:"columns"`
	// Labels names each label number: BENIGN, then those that occur, in the
	// order of schema.KnownLabels. LabelRows counts their rows.
	Labels    []string `json:"labels"`
	LabelRows []int64  `json:"label_rows"`
	// Groups is how many different groups there are, numbered from 0.
	Groups int64          `json:"groups"`
	Files  []File         `json:"files"`
	Arrays []Array        `json:"arrays"`
	Ledger *ledger.Ledger `json:"ledger"`
}

// File is one source of the rows.
type File struct {
	Name  string `json:"name"`
	Form  string `json:"form"`
	Bytes int64  `json:"bytes"`
	Rows  int64  `json:"rows"` // kept
}

// Array is one .npy file of the folder.
type Array struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"` // as numpy writes it, "<f4"
	Shape  []int64 `json:"shape"`
	SHA256 string  `json:"sha256"` // of the data behind the header
}

// FileNames lists the names of Files.
func (m *Manifest) FileNames() []string {
	names := make([]string, len(m.Files))
	for i, f := range m.Files {
		names[i] = f.Name
	}
	return names
}

// array returns the array of the given name, or an empty one.
func (m *Manifest) array(name string) Array {
	for _, a := range m.Arrays {
		if a.Name == name {
			return a
		}
	}
	return Array{}
}

// fingerprint computes Manifest.Fingerprint from the rest of the manifest.
func (m *Manifest) fingerprint() string {
	h := sha256.New()
	fmt.Fprintln(h, "flowbench prepared set", m.Version)
	list := func(what string, names []string) {
		fmt.Fprintln(h, what, len(names))
		for _, name := range names {
			fmt.Fprintf(h, "%q\n", name)
		}
	}
	list("columns", m.Columns)
	list("labels", m.Labels)
	for _, name := range []string{featuresName, labelsName, groupsName} {
		a := m.array(name)
		fmt.Fprintln(h, a.Name, a.Type, a.Shape, a.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeTo writes the manifest as indented JSON.
func (m *Manifest) writeTo(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(m)
}

// IsPrepared reports whether dir is a folder with a manifest of this package.
func IsPrepared(dir string) bool {
	_, err := readManifest(dir)
	return err == nil
}

// errNoManifest tells a folder without manifest from one with a bad one.
var errNoManifest = errors.New("no " + manifestName)

func readManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: this is no prepared set; make one with flowbench data prepare", dir, errNoManifest)
	}
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w; prepare the set again", path, err)
	}
	if m.Version != version {
		return nil, fmt.Errorf("%s: version %d, this program reads %d; prepare the set again", path, m.Version, version)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w; prepare the set again", path, err)
	}
	return m, nil
}

// check finds what would make a reader of the arrays go wrong.
func (m *Manifest) check() error {
	switch {
	case m.Rows < 1 || m.Rows > math.MaxInt32:
		return fmt.Errorf("rows: %d", m.Rows)
	case len(m.Columns) == 0:
		return errors.New("columns: none")
	case len(m.Labels) == 0 || len(m.Labels) != len(m.LabelRows):
		return fmt.Errorf("labels: %d names and %d counts", len(m.Labels), len(m.LabelRows))
	case len(m.Files) == 0:
		return errors.New("files: none")
	case m.Ledger == nil:
		return errors.New("ledger: none")
	case m.Ledger.Kept != m.Rows:
		return fmt.Errorf("rows: %d, and %d kept in the ledger", m.Rows, m.Ledger.Kept)
	case m.Fingerprint != m.fingerprint():
		return errors.New("fingerprint: it does not fit the manifest")
	}
	return m.Ledger.Check()
}
