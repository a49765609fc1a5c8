package export

import (
	"strings"
	"testing"
)

func wantWords(t *testing.T, card string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(card, word) {
			t.Errorf("the card lacks %q", word)
		}
	}
}

func TestCardTellsTheFaultsOfCICIDS2017(t *testing.T) {
	f := finished(t, "logistic")
	f.Model.Scaler.Columns = []string{"flow_duration", "flow_bytes/s", "destination_port"}
	text := string(card(f, []string{"/flows/Thursday.csv"}))
	wantWords(t, text,
		"Flows of /flows/Thursday.csv.", "71,767", "17, 7, 5, 4, 2 and 1", "destination_port` 444", "This model reads that column", "1,509 infinite",
		"1,358 NaN", "filled with the column's median", "`Fwd Header Length` stands in the files twice", "307,078", "three digits", "min_seg_size_forward",
		"Engelen, Rimmer, Joosen", "Liu, Engelen", "Lanvin", "Rosay", "Sharafaldin",
		"| Infiltration |", "At the threshold:", "| train |", "25.63 %",
	)
	if strings.Contains(text, "synthetic") || strings.Contains(text, "%!") {
		t.Errorf("the card says:\n%s", text)
	}
	f.Model.Scaler.Columns = []string{"flow_duration", "total_fwd_packets", "protocol"}
	f.Model.Labels = []string{"BENIGN", "Bot"}
	text = string(card(f, []string{"synth://full?seed=1"}))
	wantWords(t, text, "These flows are synthetic", "This model does not read that column", "neither column is read", "71,767", "Bot (Infiltration)")
	if strings.Contains(text, "six connections") {
		t.Error("a model that knows no Infiltration is told of its connections")
	}
}

func TestCardOfOtherFlows(t *testing.T) {
	f := finished(t, "logistic")
	text := string(card(f, nil))
	wantWords(t, text, "nothing is known here of their faults", "Infiltration", "## Limits", "## Results on the test part")
	f.Model.Scaler.Columns = []string{"flow_duration", "flow_bytes/s", "destination_port"}
	f.Model.Labels = []string{"BENIGN", "Worm"}
	if other := string(card(f, nil)); strings.Contains(text+other, "71,767") || strings.Contains(text, "Flows of") {
		t.Errorf("other flows are taken for those of CICIDS2017:\n%s", other)
	}
}
