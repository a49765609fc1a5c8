// Package verify compares a download of CICIDS2017 with the names, sizes and
// checksums that are published for its eight files.
package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// File is one file of the download.
type File struct {
	// Name is the file's base name without the endings in endings.
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Published returns the eight files of the 79-column form. The values come from
// published pointers to the data set, not from bytes that were seen here: what
// differs from them may still be sound, so a mismatch is a warning.
func Published() []File {
	return []File{
		{"Monday-WorkingHours", 176927918, "852c4beb34eda186f32561fa79df7a0747e92e1a6535b01270820dd9ffe17f34"},
		{"Tuesday-WorkingHours", 135078995, "52b8692ae8c7d2ed04671fe2b98335693c0a92c7ab157d8c8b534d6523080851"},
		{"Wednesday-workingHours", 225166395, "893c27dc968bf7a8adef1689f90be55ca4a4dc3088fb63d6ff247ac56856df2a"},
		{"Thursday-WorkingHours-Morning-WebAttacks", 52023263, "d67066211fb1689c78406f1506f4c44704ecb92088353d5c96d96d6474eb819d"},
		{"Thursday-WorkingHours-Afternoon-Infilteration", 83102436, "6bcda3857c2504676034e3ea57762d38393cc734cb377a726bd5cb153961b1b5"},
		{"Friday-WorkingHours-Morning", 58316725, "53a41c24d570ea83b7ac55b2e94df94e7a8216aeb80a2af0246b6bc8bb543000"},
		{"Friday-WorkingHours-Afternoon-PortScan", 76906168, "ca1824c51bfbb7b3c72290a11be04366ba8815878c6a1cc5c44cb1cee269e99b"},
		{"Friday-WorkingHours-Afternoon-DDos", 77123859, "6ff1580f5f81c0ae28a26f7631721018577f5f7c5e0feac28b795fcfe7b411ee"},
	}
}

// endings are what file names carry behind File.Name, the longest first.
var endings = [...]string{".pcap_iscx.csv", ".pcap.csv", ".csv"}

// Status is what became of one file.
type Status string

const (
	OK       Status = "ok"
	Missing  Status = "missing"
	Mismatch Status = "mismatch"
)

// Result is the comparison of one file; Got fields are empty where it is missing.
type Result struct {
	File
	Status    Status `json:"status"`
	Path      string `json:"path,omitempty"`
	GotBytes  int64  `json:"got_bytes,omitempty"`
	GotSHA256 string `json:"got_sha256,omitempty"`
}

// Report is the comparison of a folder.
type Report struct {
	Folder string   `json:"folder"`
	Files  []Result `json:"files"` // in the order of Published
	// Others lists CSV files of the folder that are none of the eight.
	Others []string `json:"others,omitempty"`
}

// OK reports whether every file is there and as published.
func (r Report) OK() bool {
	for _, f := range r.Files {
		if f.Status != OK {
			return false
		}
	}
	return true
}

// Progress is called as the bytes of a file are read; done and total count all
// files that were found.
type Progress func(file string, done, total int64)

// Folder compares the files of a folder, not of folders below it, with
// Published. A name matches without regard to case and with or without its
// usual endings; where none does, so does the only CSV file that begins with
// it. Every file found is read whole. A folder or a file that cannot be read is
// an error, and so is the end of ctx; missing and differing files are not.
// progress may be nil.
func Folder(ctx context.Context, folder string, progress Progress) (Report, error) {
	return compare(ctx, folder, Published(), progress)
}

func compare(ctx context.Context, folder string, want []File, progress Progress) (Report, error) {
	report := Report{Folder: folder}
	names, err := csvFiles(folder)
	if err != nil {
		return report, err
	}
	places, others := match(want, names)
	report.Others = others
	var done, total int64
	for i, file := range want {
		result := Result{File: file, Status: Missing}
		if places[i] != "" {
			result.Path = filepath.Join(folder, places[i])
			info, err := os.Stat(result.Path)
			if err != nil {
				return report, fmt.Errorf("verify: %w", err)
			}
			result.GotBytes = info.Size()
			total += info.Size()
		}
		report.Files = append(report.Files, result)
	}
	for i := range report.Files {
		result := &report.Files[i]
		if result.Path == "" {
			continue
		}
		read := func(n int64) {
			if done += n; progress != nil {
				progress(filepath.Base(result.Path), done, total)
			}
		}
		if err := result.compare(ctx, read); err != nil {
			return report, fmt.Errorf("verify %s: %w", result.Path, err)
		}
	}
	return report, nil
}

// compare reads the file at r.Path and fills in what was got.
func (r *Result) compare(ctx context.Context, read func(n int64)) error {
	file, err := os.Open(r.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	r.GotBytes = 0
	chunk := make([]byte, 1<<20) // large enough that a call costs nothing beside hashing it
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := file.Read(chunk)
		hash.Write(chunk[:n])
		r.GotBytes += int64(n)
		read(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	r.GotSHA256 = hex.EncodeToString(hash.Sum(nil))
	if r.Status = OK; r.GotBytes != r.Bytes || r.GotSHA256 != r.SHA256 {
		r.Status = Mismatch
	}
	return nil
}

// csvFiles lists the names of the CSV files in folder.
func csvFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("verify: %w; name the folder that holds the eight CSV files", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".csv") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// match returns, for each wanted file, the name that is it, or "", and the names
// that are none.
func match(want []File, names []string) (places, others []string) {
	places = make([]string, len(want))
	taken := make([]bool, len(names))
	for i, file := range want {
		for n, name := range names {
			if places[i] == "" && stem(name) == strings.ToLower(file.Name) {
				places[i], taken[n] = name, true
			}
		}
	}
	for i, file := range want {
		if places[i] == "" {
			if n := onlyBeginning(file.Name, names, taken); n >= 0 {
				places[i], taken[n] = names[n], true
			}
		}
	}
	for n, name := range names {
		if !taken[n] {
			others = append(others, name)
		}
	}
	return places, others
}

// stem is the lower-case name without its ending.
func stem(name string) string {
	name = strings.ToLower(name)
	for _, ending := range endings {
		if cut, ok := strings.CutSuffix(name, ending); ok {
			return cut
		}
	}
	return name
}

// onlyBeginning is the index of the only name, not taken, that begins with
// prefix, or -1.
func onlyBeginning(prefix string, names []string, taken []bool) int {
	found := -1
	for n, name := range names {
		if taken[n] || !strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix)) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = n
	}
	return found
}
