package synth

import (
	"fmt"

	"flowbench/data/schema"
	"flowbench/data/suggest"
)

const (
	infiltration = "Infiltration"
	// scan is the intruder's port scan of Thursday afternoon, which the original
	// files label BENIGN: 71,767 flows of the corrected data (Lanvin et al. 2022).
	scan = "Infiltration - Portscan"
)

// A profile is a set of files as the real data has them.
type profile struct {
	name  string
	files []fileSpec
}

// fileSpec is what is known of a real file.
type fileSpec struct {
	name string
	// mix names the sample whose benign traffic the file resembles; "" is all of them.
	mix     string
	style   numberStyle
	benign  int
	scanned int // of benign: rows of the hidden port scan
	attacks []attackSpec
	// zero is how many benign rows have duration 0 and so an infinite rate;
	// empty of them carry no byte and so have a rate of 0/0.
	zero, empty int
}

// attackSpec is an attack of a file, which happens within a stretch of it.
type attackSpec struct {
	label       string
	rows        int
	from, to    float64 // the stretch, as shares of the file
	zero, empty int     // as in fileSpec
}

// week is the eight files. Rows and labels: CICIDS2017's published counts. The
// zero and empty rows sum to its 2,867 rows with Infinity and 1,358 with NaN;
// how they spread over files and labels is an estimate. When attacks happen is
// rounded from the published timetable.
func week() []fileSpec {
	return []fileSpec{
		{name: "Monday-WorkingHours.synthetic.csv", style: flowMeter, benign: 529918, zero: 437, empty: 64},
		{name: "Tuesday-WorkingHours.synthetic.csv", mix: "Tuesday-WorkingHours", benign: 432074, zero: 261, empty: 200,
			attacks: []attackSpec{
				{label: "FTP-Patator", rows: 7938, from: .05, to: .2, zero: 3, empty: 1},
				{label: "SSH-Patator", rows: 5897, from: .6, to: .75},
			}},
		{name: "Wednesday-workingHours.synthetic.csv", mix: "Wednesday-workingHours", benign: 440031, zero: 348, empty: 59,
			attacks: []attackSpec{
				{label: "DoS slowloris", rows: 5796, from: .1, to: .15},
				{label: "DoS Slowhttptest", rows: 5499, from: .16, to: .21},
				{label: "DoS Hulk", rows: 231073, from: .22, to: .65, zero: 949, empty: 949},
				{label: "DoS GoldenEye", rows: 10293, from: .66, to: .72},
				{label: "Heartbleed", rows: 11, from: .85, to: .9},
			}},
		{name: "Thursday-WorkingHours-Morning-WebAttacks.synthetic.csv", mix: "Thursday-WorkingHours-Morning-WebAttacks",
			benign: 168186, zero: 135, empty: 20,
			attacks: []attackSpec{
				{label: "Web Attack - Brute Force", rows: 1507, from: .1, to: .4},
				{label: "Web Attack - XSS", rows: 652, from: .5, to: .65},
				{label: "Web Attack - Sql Injection", rows: 21, from: .72, to: .75},
			}},
		{name: "Thursday-WorkingHours-Afternoon-Infilteration.synthetic.csv", mix: "Thursday-WorkingHours-Afternoon-Infilteration",
			benign: 288566, scanned: 71767, zero: 207, empty: 18,
			attacks: []attackSpec{{label: infiltration, rows: 36, from: .3, to: .75}}},
		{name: "Friday-WorkingHours-Morning.synthetic.csv", mix: "Friday-WorkingHours-Morning", benign: 189067, zero: 112, empty: 28,
			attacks: []attackSpec{{label: "Bot", rows: 1966, from: .3, to: .95, zero: 10}}},
		{name: "Friday-WorkingHours-Afternoon-PortScan.synthetic.csv", mix: "Friday-WorkingHours-Afternoon-PortScan", benign: 127537,
			zero: 245, empty: 15,
			attacks: []attackSpec{{label: "PortScan", rows: 158930, from: .25, to: .95, zero: 126}}},
		{name: "Friday-WorkingHours-Afternoon-DDos.synthetic.csv", style: flowMeter, benign: 97718, zero: 32, empty: 4,
			attacks: []attackSpec{{label: "DDoS", rows: 128027, from: .2, to: .85, zero: 2}}},
	}
}

// scanFrom and scanTo are the stretch of Thursday afternoon that the hidden scan takes.
const scanFrom, scanTo = .5, .9

// Profiles names the profiles that Config.Profile may hold.
func Profiles() []string { return []string{"infiltration", "full"} }

func profileNamed(name string) (profile, error) {
	all := week()
	switch name {
	case "infiltration":
		return profile{name: name, files: []fileSpec{all[0], all[4]}}, nil
	case "full":
		return profile{name: name, files: all}, nil
	}
	return profile{}, fmt.Errorf("unknown synthetic profile %q%s; known are infiltration and full", name, suggest.Aside(name, Profiles()))
}

func (p profile) rows() int {
	n := 0
	for _, f := range p.files {
		n += f.rows()
	}
	return n
}

func (f fileSpec) rows() int {
	n := f.benign
	for _, a := range f.attacks {
		n += a.rows
	}
	return n
}

// labelText is a label as the published CSVs spell it: the dash of the web
// attacks went through a wrong decoding there and is U+FFFD now.
func labelText(label string) string {
	const prefix = "Web Attack - "
	if len(label) > len(prefix) && label[:len(prefix)] == prefix {
		return "Web Attack \uFFFD " + label[len(prefix):]
	}
	if label == scan {
		return schema.Benign
	}
	return label
}
