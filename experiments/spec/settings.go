package spec

import "reflect"

// Settings is every field of r that has an effect, by its dotted path, the value
// as Param.Value has it. The name and the seed, and where each replicate draws its
// own split also that split's seed, are left out: runs with equal Settings are
// replicates of one configuration.
func (r Run) Settings() map[string]any {
	settings := map[string]any{}
	all := reflect.ValueOf(&r).Elem()
	for _, l := range leaves() {
		switch {
		case l.path == "name", l.path == "seed", l.path == "data.source",
			l.path == "data.split.seed" && r.Data.Split.PerReplicate:
			continue
		}
		if field := all.FieldByIndex(l.index); r.says(l, field) {
			settings[l.path] = plain(field)
		}
	}
	return settings
}

// Overlap is the size of the test part over that of the train part where each
// replicate draws its own split from the same rows, and 0 where all share one or
// the parts are whole files.
func (r Run) Overlap() float64 {
	s := r.Data.Split
	if !s.PerReplicate || s.Train == 0 {
		return 0
	}
	return s.Test / s.Train
}
