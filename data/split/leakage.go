package split

// Leakage says what a plain random split would have got wrong: rows dealt one
// by one, stratified by label, with the same seed and shares. Beside it stands
// what the split that was made lets cross. Duplicates that cross in it are
// always 0; connections cross by design unless the method is ByGroup.
type Leakage struct {
	// By is the method of the split that was made, empty for PlainLeakage.
	By   string `json:"by,omitempty"`
	Seed uint64 `json:"seed"`
	// Train, Validation and Test are the shares that the plain split was given:
	// for ByFile those of the rows that the files brought.
	Train      float64 `json:"train"`
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
	// ConnectionsKnown is false where Rows.Groups is nil; the counts of
	// connections are 0 then.
	ConnectionsKnown bool        `json:"connections_known"`
	Labels           []LabelLeak `json:"labels"` // labels with a row in a part, by index
	Total            LabelLeak   `json:"total"`
}

// LabelLeak is one label's line, or the sum over all.
type LabelLeak struct {
	Label       string `json:"label"`
	Rows        int    `json:"rows"`
	Duplicates  Leak   `json:"duplicates"`
	Connections Leak   `json:"connections"`
}

// Leak counts sets of rows that belong together: duplicates, or one connection.
type Leak struct {
	// Sets counts the sets of two rows or more with a row of the label. A set
	// of several labels counts in each of them, and once in the total.
	Sets int `json:"sets"`
	// Crossing counts those that the plain split would cut in two, Leaked the
	// rows in validation or test that would have a row of their set in an
	// earlier part (train; for test validation too).
	Crossing int `json:"crossing"`
	Leaked   int `json:"leaked"`
	// MadeCrossing and MadeLeaked count the same in the split that was made.
	MadeCrossing int `json:"made_crossing"`
	MadeLeaked   int `json:"made_leaked"`
}

// PlainLeakage is the Leakage of Make without a split to compare with: what a
// plain random split of all rows in play would have let cross. It is for rows
// before Deduplicate, whose duplicates no later split can show. Of cfg it reads
// the shares and the seed, and for ByFile the globs. Errors are those of Make.
func PlainLeakage(cfg Config, rows Rows) (Leakage, error) {
	if err := cfg.Validate(); err != nil {
		return Leakage{}, err
	}
	v := rows.checked()
	same := findDuplicates(v)
	part := make([]int8, len(v.rows))
	if cfg.By == ByFile {
		var err error
		if part, err = assignFiles(cfg, v, singles(len(v.rows))); err != nil {
			return Leakage{}, err
		}
	}
	l := leakage(cfg, v, same, part)
	l.By = ""
	for i := range l.Labels {
		l.Labels[i].forgetMade()
	}
	l.Total.forgetMade()
	return l, nil
}

func (l *LabelLeak) forgetMade() {
	for _, leak := range [...]*Leak{&l.Duplicates, &l.Connections} {
		leak.MadeCrossing, leak.MadeLeaked = 0, 0
	}
}

// leakage compares part, the split that was made, with a plain one of its rows.
func leakage(cfg Config, v view, same grouping, part []int8) Leakage {
	positions := make([]int32, 0, len(part))
	sub := v
	sub.rows, sub.labels = nil, nil
	var made []int8
	for p, of := range part {
		if of == noPart {
			continue
		}
		positions = append(positions, int32(p))
		sub.rows = append(sub.rows, v.rows[p])
		sub.labels = append(sub.labels, v.labels[p])
		made = append(made, of)
	}
	s := cfg.shares()
	if cfg.By == ByFile {
		s = sharesOf(made)
	}
	plain := deal(sub, singles(len(positions)), s, cfg.Seed)

	s = s.normalised()
	l := Leakage{
		By: cfg.By, Seed: cfg.Seed, ConnectionsKnown: v.Groups != nil,
		Train: s[train], Validation: s[validation], Test: s[test],
	}
	lines := make([]LabelLeak, sub.classes)
	for label, rows := range sub.rowsByLabel() {
		lines[label].Label, lines[label].Rows = v.labelName(label), int(rows)
		l.Total.Rows += int(rows)
	}
	l.Total.Label = "all"
	duplicates := same.only(positions)
	count(sub.labels, duplicates, plain, made, &l.Total.Duplicates, func(label int32) *Leak { return &lines[label].Duplicates })
	if l.ConnectionsKnown {
		count(sub.labels, connections(sub), plain, made, &l.Total.Connections, func(label int32) *Leak { return &lines[label].Connections })
	}
	for _, line := range lines {
		if line.Rows > 0 {
			l.Labels = append(l.Labels, line)
		}
	}
	return l
}

func singles(n int) grouping {
	g := grouping{of: make([]int32, n), count: n}
	for p := range g.of {
		g.of[p] = int32(p)
	}
	return g
}

func sharesOf(part []int8) shares {
	var s shares
	for _, p := range part {
		s[p]++
	}
	return s.normalised()
}

// count fills in total and the Leak of every label for one way of grouping rows.
func count(labels []int32, g grouping, plain, made []int8, total *Leak, of func(label int32) *Leak) {
	start, member := g.members()
	seen := map[int32]bool{} // labels of one set
	for i := range g.count {
		rows := member[start[i]:start[i+1]]
		if len(rows) < 2 {
			continue
		}
		firstPlain, cutPlain := firstPart(rows, plain)
		firstMade, cutMade := firstPart(rows, made)
		var set Leak
		set.addSet(cutPlain, cutMade)
		clear(seen)
		for _, p := range rows {
			line := of(labels[p])
			if !seen[labels[p]] {
				seen[labels[p]] = true
				line.addSet(cutPlain, cutMade)
			}
			line.addRow(plain[p] > firstPlain, made[p] > firstMade)
			set.addRow(plain[p] > firstPlain, made[p] > firstMade)
		}
		total.add(set)
	}
}

// firstPart is the earliest part with one of the rows, and whether there is a
// later one too.
func firstPart(rows []int32, part []int8) (first int8, cut bool) {
	first = part[rows[0]]
	for _, p := range rows[1:] {
		cut = cut || part[p] != first
		first = min(first, part[p])
	}
	return first, cut
}

func (l *Leak) addSet(cutPlain, cutMade bool) {
	l.Sets++
	if cutPlain {
		l.Crossing++
	}
	if cutMade {
		l.MadeCrossing++
	}
}

func (l *Leak) addRow(leakedPlain, leakedMade bool) {
	if leakedPlain {
		l.Leaked++
	}
	if leakedMade {
		l.MadeLeaked++
	}
}

func (l *Leak) add(o Leak) {
	l.Sets += o.Sets
	l.Crossing += o.Crossing
	l.Leaked += o.Leaked
	l.MadeCrossing += o.MadeCrossing
	l.MadeLeaked += o.MadeLeaked
}
