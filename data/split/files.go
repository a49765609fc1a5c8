package split

import (
	"path"
	"slices"
	"strings"
)

func checkGlobs(field string, globs []string) error {
	for _, glob := range globs {
		if _, err := path.Match(glob, ""); err != nil {
			return fieldError(field, "%q is not a glob: %v", glob, err)
		}
	}
	return nil
}

// assignFiles is ByFile.
func assignFiles(cfg Config, v view, same grouping) ([]int8, error) {
	if len(v.Files)*v.Cols != len(v.Features) {
		panic("split: len(Files) is not the number of rows")
	}
	partOf, err := filesToParts(cfg, v.FileNames)
	if err != nil {
		return nil, err
	}
	part := make([]int8, len(v.rows))
	last := slices.Repeat([]int8{noPart}, same.count)
	for p, row := range v.rows {
		part[p] = partOf[v.Files[row]]
		last[same.of[p]] = max(last[same.of[p]], part[p])
	}
	for p, group := range same.of {
		if part[p] != last[group] {
			part[p] = noPart
		}
	}
	if len(cfg.ValidationFiles) == 0 && cfg.Validation > 0 {
		carveValidation(cfg, v, same, part)
	}
	return part, nil
}

// filesToParts returns the part of every file. A glob that names no file is an
// error, and so is a file that two parts claim.
func filesToParts(cfg Config, names []string) ([]int8, error) {
	partOf := slices.Repeat([]int8{noPart}, len(names))
	for part, globs := range cfg.globs() {
		for _, glob := range globs {
			found := false
			for file, name := range names {
				if !matches(glob, name) {
					continue
				}
				found = true
				if before := partOf[file]; before != noPart && before != int8(part) {
					return nil, fieldError(partNames[part]+"_files", "%q names %s, which split.%s_files names too: a file lies in one part",
						glob, name, partNames[before])
				}
				partOf[file] = int8(part)
			}
			if !found {
				return nil, fieldError(partNames[part]+"_files", "%q names none of the files: %s", glob, strings.Join(names, ", "))
			}
		}
	}
	return partOf, nil
}

func matches(glob, name string) bool {
	if !strings.Contains(glob, "/") {
		name = path.Base(name)
	}
	ok, err := path.Match(glob, name)
	return ok && err == nil // Validate has refused malformed globs
}

// carveValidation moves cfg.Validation of the train rows to validation, dealt
// like ByRandom.
func carveValidation(cfg Config, v view, same grouping, part []int8) {
	var positions []int32
	sub := v
	sub.rows, sub.labels = nil, nil
	for p, row := range v.rows {
		if part[p] == train {
			positions = append(positions, int32(p))
			sub.rows = append(sub.rows, row)
			sub.labels = append(sub.labels, v.labels[p])
		}
	}
	dealt := deal(sub, same.only(positions), shares{train: 1 - cfg.Validation, validation: cfg.Validation}, cfg.Seed)
	for i, p := range positions {
		part[p] = dealt[i]
	}
}

// only is the grouping of the given positions alone.
func (g grouping) only(positions []int32) grouping {
	number := slices.Repeat([]int32{-1}, g.count)
	out := grouping{of: make([]int32, len(positions))}
	for i, p := range positions {
		n := &number[g.of[p]]
		if *n < 0 {
			*n = int32(out.count)
			out.count++
		}
		out.of[i] = *n
	}
	return out
}
