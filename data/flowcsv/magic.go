package flowcsv

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// compressedName is the kind of archive that the name speaks of, or "".
func compressedName(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gz", ".gzip":
		return "gzip"
	case ".zip":
		return "zip"
	case ".bz2":
		return "bzip2"
	case ".xz":
		return "xz"
	case ".zst":
		return "zstd"
	case ".7z":
		return "7z"
	}
	return ""
}

func compressed(path, kind string) error {
	return &Error{File: path, Problem: "is compressed (" + kind + ")", Remedy: "unpack it first and name the .csv"}
}

// checkMagic looks at the first bytes of a file for what is no text at all.
func checkMagic(place string, head []byte) error {
	for _, m := range []struct{ magic, kind string }{
		{"\x1f\x8b", "gzip"}, {"PK\x03\x04", "zip"}, {"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"},
		{"\x28\xb5\x2f\xfd", "zstd"}, {"7z\xbc\xaf\x27\x1c", "7z"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return compressed(place, m.kind)
		}
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) ||
		len(head) >= 4 && (head[0] == 0) != (head[1] == 0) {
		return &Error{File: place, Line: 1, Problem: "is UTF-16 text", Remedy: "convert it: iconv -f UTF-16 -t UTF-8"}
	}
	start := bytes.ToLower(bytes.TrimSpace(head))
	if bytes.HasPrefix(start, []byte("<!doctype")) || bytes.HasPrefix(start, []byte("<html")) {
		return &Error{File: place, Line: 1, Problem: "is a web page and no CSV", Remedy: "the download went wrong; fetch it again"}
	}
	if bytes.HasPrefix(head, []byte("version https://git-lfs")) {
		return &Error{File: place, Line: 1, Problem: "is a pointer to a large file and not the file", Remedy: "fetch it with git lfs pull"}
	}
	if bytes.HasPrefix(head, []byte("PAR1")) {
		return &Error{File: place, Problem: "is Parquet and no CSV", Remedy: "convert it to CSV"}
	}
	return nil
}

// checkHeaderLine finds what makes a first line no header of comma-separated names.
func checkHeaderLine(place string, line []byte) error {
	fail := func(problem, remedy string) error {
		return &Error{File: place, Line: 1, Problem: problem, Remedy: remedy}
	}
	switch {
	case bytes.IndexByte(line, 0) >= 0:
		return fail("the header holds NUL bytes", "this is no text file, or it is UTF-16 and wants iconv -f UTF-16 -t UTF-8")
	case bytes.IndexByte(line, '\r') >= 0:
		return fail("lines end in a bare carriage return", `convert the line ends: tr '\r' '\n'`)
	case bytes.IndexByte(line, ',') < 0 && bytes.ContainsAny(line, ";\t"):
		return fail(fmt.Sprintf("fields are separated by %q", line[bytes.IndexAny(line, ";\t")]), "convert the file to commas")
	}
	return nil
}
