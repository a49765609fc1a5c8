package schema_test

import (
	"slices"
	"strings"
	"testing"

	"flowbench/data/schema"

	"github.com/google/go-cmp/cmp"
)

func TestFeatures(t *testing.T) {
	names := schema.Features()
	if len(names) != schema.Cols {
		t.Fatalf("%d features, want %d", len(names), schema.Cols)
	}
	for index, want := range map[int]string{
		0: "destination_port", 1: "flow_duration", 14: "flow_bytes/s", 34: "fwd_header_length",
		51: "down/up_ratio", 54: "avg_bwd_segment_size", 55: "fwd_avg_bytes/bulk",
		65: "init_win_bytes_forward", 68: "min_seg_size_forward", 76: "idle_min",
	} {
		if names[index] != want {
			t.Errorf("feature %d is %q, want %q", index, names[index], want)
		}
	}
	names[0] = "changed"
	if schema.Features()[0] != schema.DestinationPort {
		t.Error("Features hands out its own memory")
	}
}

// TestForms resolves the three published headers: every feature once, the rest as it should be.
func TestForms(t *testing.T) {
	cases := []struct {
		header string
		form   schema.Form
		cells  int
		roles  map[schema.Role]int
	}{
		{schema.RawHeader79, schema.Form79, 79, map[schema.Role]int{schema.RoleFeature: 77, schema.RoleRepeat: 1, schema.RoleLabel: 1}},
		{schema.RawHeader85, schema.Form85, 85, map[schema.Role]int{
			schema.RoleFeature: 77, schema.RoleRepeat: 1, schema.RoleLabel: 1, schema.RoleIgnored: 2, schema.RoleExtra: 1,
			schema.RoleSourceAddress: 1, schema.RoleSourcePort: 1, schema.RoleDestinationAddress: 1}},
		{schema.RawHeader91, schema.Form91, 91, map[schema.Role]int{
			schema.RoleFeature: 77, schema.RoleLabel: 1, schema.RoleIgnored: 3, schema.RoleExtra: 6, schema.RoleCategory: 1,
			schema.RoleSourceAddress: 1, schema.RoleSourcePort: 1, schema.RoleDestinationAddress: 1}},
	}
	for _, c := range cases {
		cells := strings.Split(c.header, ",")
		if len(cells) != c.cells {
			t.Fatalf("%s: %d cells", c.form, len(cells))
		}
		layout, err := schema.Resolve(cells, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.form, err)
		}
		if layout.Form != c.form {
			t.Errorf("form is %s, want %s", layout.Form, c.form)
		}
		roles := make(map[schema.Role]int)
		features := make(map[int]bool)
		for _, f := range layout.Fields {
			roles[f.Role]++
			if f.Role == schema.RoleFeature {
				features[f.Index] = true
				if f.Name != schema.Features()[f.Index] {
					t.Errorf("field %q has index %d", f.Name, f.Index)
				}
			}
		}
		if diff := cmp.Diff(c.roles, roles); diff != "" {
			t.Errorf("%s roles (-want +got):\n%s", c.form, diff)
		}
		if len(features) != schema.Cols {
			t.Errorf("%s: %d distinct features", c.form, len(features))
		}
		if got, want := layout.HasExtras(), c.form == schema.Form91; got != want {
			t.Errorf("%s: HasExtras is %v", c.form, got)
		}
	}
}

func TestResolveVariants(t *testing.T) {
	cells := strings.Split(schema.RawHeader79, ",")
	second := slices.Index(cells[40:], " Fwd Header Length") + 40
	pandas := slices.Clone(cells)
	pandas[second] = " Fwd Header Length.1"
	for name, header := range map[string][]string{
		"row number":     append([]string{""}, cells...),
		"pandas repeat":  pandas,
		"no repeat":      slices.Delete(slices.Clone(cells), second, second+1),
		"renamed":        strings.Split(strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(schema.RawHeader79, ", ", ","), " ", "_"))[1:], ","),
		"ignored column": append(slices.Clone(cells), "Source File"),
		"reversed":       reversed(cells),
	} {
		if _, err := schema.Resolve(header, []string{"source file"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func reversed(cells []string) []string {
	cells = slices.Clone(cells)
	slices.Reverse(cells)
	return cells
}

func TestResolveErrors(t *testing.T) {
	cells := strings.Split(schema.RawHeader79, ",")
	change := func(i int, name string) []string {
		c := slices.Clone(cells)
		c[i] = name
		return c
	}
	cases := []struct {
		name   string
		header []string
		want   []string
	}{
		{"misspelt", change(1, " Flow Durration"), []string{`column 2 "Flow Durration" is unknown`, `did you mean "flow_duration"?`, "missing: flow_duration", "rename"}},
		{"unknown", append(slices.Clone(cells), "Weather"), []string{`column 80 "Weather" is unknown`, "remove the columns, or list them as ignored"}},
		{"label missing", cells[:78], []string{"missing: label"}},
		{"twice", change(5, "Flow Duration"), []string{`"Flow Duration" comes twice, as fields 2 and 6`}},
		{"three header lengths", append(slices.Clone(cells), "Fwd Header Length"), []string{"comes twice"}},
		{"no header", strings.Split("1,2,3,4", ","), []string{"no CICIDS2017 header", "78 of 78"}},
		{"empty", nil, []string{"no CICIDS2017 header"}},
	}
	for _, c := range cases {
		_, err := schema.Resolve(c.header, nil)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", c.name, err, want)
			}
		}
	}
}

func TestCanonical(t *testing.T) {
	for raw, want := range map[string]string{
		" Destination Port": "destination_port", "Dst Port": "destination_port", "Flow Bytes/s": "flow_bytes/s",
		"FWD Init Win Bytes": "init_win_bytes_forward", "ICMP Code": "icmp_code", "protocol": "protocol",
	} {
		if got, err := schema.Canonical(raw); err != nil || got != want {
			t.Errorf("Canonical(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
	if _, err := schema.Canonical("destinaton_port"); err == nil || !strings.Contains(err.Error(), `did you mean "destination_port"?`) {
		t.Errorf("error is %v", err)
	}
	if _, err := schema.Canonical("zzzzzzzzzzzzzz"); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("error is %v", err)
	}
}

func TestLabels(t *testing.T) {
	labels, err := schema.NewLabels([]string{"Cryptojacking"})
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		"BENIGN": "BENIGN", " benign ": "BENIGN", "DoS Slowloris": "DoS slowloris", "Botnet": "Bot", "Portscan": "PortScan",
		"Web Attack \x96 XSS": "Web Attack - XSS", "Web Attack \xc2\x96 XSS": "Web Attack - XSS",
		"Web Attack \xef\xbf\xbd XSS": "Web Attack - XSS", "Web Attack - XSS": "Web Attack - XSS",
		"Web Attack \xe2\x80\x93 Brute Force": "Web Attack - Brute Force", "Web Attack - SQL Injection": "Web Attack - Sql Injection",
		"Web Attack \xc3\xaf\xc2\xbf\xc2\xbd Sql Injection": "Web Attack - Sql Injection",
		"Infiltration - Portscan":                           "Infiltration - Portscan", "Infiltration": "Infiltration",
		"Botnet - Attempted": "Bot - Attempted", "Infiltration - Attempted": "Infiltration - Attempted",
		"cryptojacking": "Cryptojacking",
	} {
		i, err := labels.Parse([]byte(raw))
		if err != nil {
			t.Errorf("%q: %v", raw, err)
		} else if got := labels.Names()[i]; got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
	if labels.Names()[0] != schema.Benign {
		t.Error("BENIGN is not first")
	}
	for raw, want := range map[string]string{"Infiltraton": `did you mean "Infiltration"?`, "": `label "" is not listed`, "DoS Hulc": `"DoS Hulk"`} {
		if _, err := labels.Parse([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v lacks %s", raw, err, want)
		}
	}
	for _, extra := range []string{"", " - ", "portscan", "DDoS - Attempted"} {
		if _, err := schema.NewLabels([]string{extra}); err == nil {
			t.Errorf("extra label %q accepted", extra)
		}
	}
}

func TestAttempted(t *testing.T) {
	labels, err := schema.NewLabels([]string{"Other"})
	if err != nil {
		t.Fatal(err)
	}
	parse := func(name string) int {
		i, err := labels.Parse([]byte(name))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	hulk, attempted := parse("DoS Hulk"), parse("DoS Hulk - Attempted")
	if got := labels.Attempt(hulk); got != attempted {
		t.Errorf("Attempt(DoS Hulk) = %s", labels.Names()[got])
	}
	for _, name := range []string{"BENIGN", "Other", "DoS Hulk - Attempted"} {
		if i := parse(name); labels.Attempt(i) != i {
			t.Errorf("Attempt(%s) = %s", name, labels.Names()[labels.Attempt(i)])
		}
	}
	for policy, want := range map[schema.Attempted]int{schema.AttemptedKeep: attempted, schema.AttemptedBenign: 0, schema.AttemptedAttack: hulk} {
		if got := labels.Apply(policy, attempted); got != want {
			t.Errorf("%s: %s, want %s", policy, labels.Names()[got], labels.Names()[want])
		}
		if got := labels.Apply(policy, hulk); got != hulk {
			t.Errorf("%s changes DoS Hulk to %s", policy, labels.Names()[got])
		}
	}
}

func TestCanonicalLabel(t *testing.T) {
	if got, err := schema.CanonicalLabel("web attack xss"); err != nil || got != "Web Attack - XSS" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := schema.CanonicalLabel("nothing known"); err == nil {
		t.Error("no error")
	}
}
