package export

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/data/schema"
	"flowbench/train"
)

// Sources of what is said of CICIDS2017.
const (
	sharafaldin = `Sharafaldin, Lashkari, Ghorbani, "Toward Generating a New Intrusion Detection Dataset and Intrusion Traffic Characterization", ICISSP 2018`
	engelen     = `Engelen, Rimmer, Joosen, "Troubleshooting an Intrusion Detection Dataset: the CICIDS2017 Case Study", IEEE SPW 2021`
	liu         = `Liu, Engelen, Lynar, Essam, Joosen, "Error Prevalence in NIDS Datasets: A Case Study on CIC-IDS-2017 and CSE-CIC-IDS-2018", IEEE CNS 2022, whose corrected flows have 2,099,976 rows`
	lanvin      = `Lanvin and others, "Errors in the CICIDS2017 Dataset and the Significant Differences in Detection Performances It Makes", CRiSIS 2022`
	rosay       = `Rosay, Cheval, Carlier, Leroux, "Network Intrusion Detection: A Comprehensive Analysis of CIC-IDS2017", ICISSP 2022`
	counts      = `counts of the eight original files, 2,830,743 rows: github.com/eyalsht/ids-cicids2017-critique`
)

// likeCICIDS2017 says whether a model reads columns of CICIDS2017's flow meter and
// knows no labels but those of its files.
func likeCICIDS2017(m *train.ModelFile) bool {
	columns, labels := append(schema.Features(), schema.Extras()...), schema.KnownLabels()
	for _, name := range m.Scaler.Columns {
		if !slices.Contains(columns, name) {
			return false
		}
	}
	for _, name := range m.Labels {
		if known, _ := strings.CutSuffix(name, " - Attempted"); !slices.Contains(labels, known) {
			return false
		}
	}
	return true
}

// faults writes what is known to be wrong with the flows that a model learned from.
func faults(p func(string, ...any), m *train.ModelFile) {
	p("\n## Known faults of the data set\n")
	if !likeCICIDS2017(m) {
		p("The flows are not of the form of CICIDS2017, and nothing is known here of their faults.")
		return
	}
	p("The flows have the columns and labels of CICIDS2017 (%s). What is known of it holds for its flows and for those made in its likeness:\n", sharafaldin)
	for _, fault := range cicids2017Faults(m) {
		p("- %s", fault)
	}
	p("\nSources: %s.", strings.Join([]string{engelen, liu, lanvin, rosay, counts}, "; "))
}

// cicids2017Faults lists the faults, and what this model makes of them.
func cicids2017Faults(m *train.ModelFile) []string {
	reads := func(name string) bool { return slices.Contains(m.Scaler.Columns, name) }
	knows := func(name string) bool { return slices.Contains(m.Labels, name) }
	list := []string{
		"**Labels.** Attack flows without payload bear the label of an attack that did not happen (Engelen 2021), attacks were performed and not labelled (Lanvin 2022), and there are more errors in orchestration, features and labels (Liu 2022). Of the corrected Thursday, 71,767 flows are the intruder's own port scan; the original Thursday afternoon labels 36 rows as an attack, so that about a quarter of its BENIGN is that scan. A model that calls such a flow an attack is counted wrong, and one trained on them learns a scan as usual.",
		"**Flows.** A TCP flow ends at the first FIN, and what follows counts as a flow of its own (Engelen 2021); long connections are cut at a timeout of 120 s; packets were captured twice or out of order (Lanvin 2022); features are miscomputed and protocols partly wrong (Rosay 2022).",
	}
	if knows("Infiltration") {
		list = append(list, "**Infiltration is six connections.** Its 36 flows are pieces of 6 TCP connections (17, 7, 5, 4, 2 and 1), from two victims to one host, counted in the corrected flows. Pieces of one connection in train and test make recall look better than it is; by connection there are a handful of cases, whatever the number of rows.")
	}
	list = append(list, portFault(reads(schema.DestinationPort)))
	return append(list,
		"**Time and place.** Each attack was run on one day at one time, so that a split by day tests attacks that were never seen, and a random split the same minutes again. Durations and gaps of some files are rounded to three digits: a sum of gaps can exceed the flow's duration. `init_win_bytes_forward`, `init_win_bytes_backward` and `min_seg_size_forward` tell the laboratory's machines apart, and are -1 where no window was seen (1,001,172 and 1,439,672 rows).",
		fmt.Sprintf("**Missing and impossible values.** `flow_bytes/s` has 1,509 infinite cells and 1,358 NaN, `flow_packets/s` 2,867 infinite ones, in 2,867 rows, which are flows of duration 0; dropping them drops attacks too. Here %s. Durations, rates and gaps are negative in 115 rows, header lengths in 35.", missingFault(reads("flow_bytes/s") || reads("flow_packets/s"))),
		fmt.Sprintf("**Columns.** `Fwd Header Length` stands in the files twice, and is read once. Eight columns are constant: the push and urgent flags of the backward way and the six bulk averages%s.", constantFault(m)),
		"**Duplicates.** 307,078 rows repeat another, counted without rows of missing values, over all columns and the label; most are PortScan and DoS Hulk. Where they cross a split, the test part holds what was trained on.",
		"**Rarity.** 2,273,097 of the rows are BENIGN, 11 Heartbleed, 21 Sql Injection, 36 Infiltration. Recall over a few flows is a rough figure: read the interval, not the share.",
	)
}

func portFault(reads bool) string {
	text := "**The port is a leak.** `destination_port` 444 alone is the whole Infiltration class: in the corrected files all 36 flows have it, and none of 64,985 benign ones that were looked at. "
	if reads {
		return text + "This model reads that column: take its figures for nothing but the port, until a model without it shows the same."
	}
	return text + "This model does not read that column."
}

func missingFault(reads bool) string {
	if !reads {
		return "neither column is read"
	}
	return "such cells are filled with the column's median over the train rows, as in `model.onnx`"
}

func constantFault(m *train.ModelFile) string {
	if len(m.Constant) == 0 {
		return ""
	}
	return "; what was constant over this model's train rows it does not read"
}
