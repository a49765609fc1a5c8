package schema

import (
	"fmt"
	"strings"

	"flowbench/data/suggest"
)

// Benign is the label of traffic that is no attack.
const Benign = "BENIGN"

// attemptedSuffix ends the corrected form's labels of attack flows that carried
// no attack (Engelen et al. 2021, "Troubleshooting an Intrusion Detection
// Dataset: the CICIDS2017 Case Study").
const attemptedSuffix = " - Attempted"

// Attempted says what becomes of flows that the corrected form labels
// "X - Attempted".
type Attempted string

const (
	// AttemptedKeep gives them a label of their own, "X - Attempted". It is the
	// default: nothing is decided before a specification names its positives.
	AttemptedKeep Attempted = "keep"
	// AttemptedBenign makes them BENIGN, as the published benchmark does.
	AttemptedBenign Attempted = "benign"
	// AttemptedAttack gives them the label of the attack they belong to.
	AttemptedAttack Attempted = "attack"
)

// KnownLabels returns the canonical labels, BENIGN first: the 15 of the original
// data in its spelling (with a plain hyphen) and the corrected form's
// `Infiltration - Portscan`. The corrected spellings Botnet, Portscan, DoS
// Slowloris and SQL Injection are the same labels. The caller owns the slice.
func KnownLabels() []string {
	return []string{
		Benign,
		"FTP-Patator", "SSH-Patator",
		"DoS Hulk", "DoS GoldenEye", "DoS slowloris", "DoS Slowhttptest", "Heartbleed",
		"Web Attack - Brute Force", "Web Attack - XSS", "Web Attack - Sql Injection",
		"Infiltration", "Infiltration - Portscan",
		"Bot", "PortScan", "DDoS",
	}
}

// Labels is a closed list of labels, each with a number: KnownLabels, then
// their attempted variants, then extra ones.
type Labels struct {
	names     []string
	byKey     map[string]int
	attempted int // names[attempted:extra] are the attempted variants of names[1:attempted]
	extra     int
}

// NewLabels lists the known labels and the extra ones. An extra label is an
// error if it is blank or reads as one that is already there.
func NewLabels(extra []string) (*Labels, error) {
	known := KnownLabels()
	l := &Labels{names: known, byKey: make(map[string]int), attempted: len(known)}
	for _, name := range known[1:] {
		l.names = append(l.names, name+attemptedSuffix)
	}
	l.extra = len(l.names)
	for i, name := range l.names {
		l.byKey[labelKey(name)] = i
	}
	// Botnet is the one corrected spelling that differs by more than case and punctuation.
	l.byKey["botnet"] = l.byKey["bot"]
	l.byKey["botnetattempted"] = l.byKey["botattempted"]
	for _, name := range extra {
		key := labelKey(name)
		if key == "" {
			return nil, fmt.Errorf("extra label %q holds no letter or digit", name)
		}
		if i, ok := l.byKey[key]; ok {
			return nil, fmt.Errorf("extra label %q is already known as %q; leave it out", name, l.names[i])
		}
		l.byKey[key] = len(l.names)
		l.names = append(l.names, strings.TrimSpace(name))
	}
	return l, nil
}

// Names returns the label of each number, BENIGN at 0. The caller must not write to it.
func (l *Labels) Names() []string { return l.names }

// Parse returns the number of a label as it stands in a file. Case, blanks and
// every byte that is no ASCII letter or digit are ignored, because the dash of
// `Web Attack - XSS` arrives as 0x96, C2 96, EF BF BD, a hyphen, or what further
// conversions made of those. The error of an unlisted label says which one was
// probably meant.
func (l *Labels) Parse(raw []byte) (int, error) {
	if i, ok := l.byKey[labelKey(string(raw))]; ok {
		return i, nil
	}
	return 0, fmt.Errorf("label %q is not listed%s", raw, suggest.Aside(string(raw), append(l.names[:l.attempted:l.attempted], l.names[l.extra:]...)))
}

// IsAttempted reports whether label i is an attempted variant.
func (l *Labels) IsAttempted(i int) bool { return i >= l.attempted && i < l.extra }

// Attempt is label i as its attempted variant: itself if it is one already, is
// BENIGN, or is an extra label.
func (l *Labels) Attempt(i int) int {
	if i > 0 && i < l.attempted {
		return l.attempted + i - 1
	}
	return i
}

// Apply is what the policy makes of label i. Only attempted variants change.
func (l *Labels) Apply(policy Attempted, i int) int {
	if !l.IsAttempted(i) {
		return i
	}
	switch policy {
	case AttemptedBenign:
		return 0
	case AttemptedAttack:
		return i - l.attempted + 1
	}
	return i
}

// CanonicalLabel is the canonical spelling of a known label in any spelling.
func CanonicalLabel(raw string) (string, error) {
	l, err := NewLabels(nil)
	if err != nil {
		return "", err
	}
	i, err := l.Parse([]byte(raw))
	if err != nil {
		return "", err
	}
	return l.names[i], nil
}

// labelKey is what two spellings of one label share.
func labelKey(s string) string {
	var key strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			key.WriteByte(c + 'a' - 'A')
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			key.WriteByte(c)
		}
	}
	return key.String()
}
