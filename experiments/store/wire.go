package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What a launcher and its workers say to each other: a call is a POST of JSON to
// pathPrefix + its name, with the token in the header Authorization, and is
// answered by JSON, or by a wireError where the status is not 200. A call that
// the client makes again has the header againHeader.
//
// Whoever changes what is said gives it a new version.
const (
	pathRoot    = "/store/"
	pathPrefix  = pathRoot + "v1/"
	againHeader = "Flowbench-Again"
	// maxCall and maxAnswer bound what is read into memory. A plan of 100,000
	// trials with a kilobyte of parameters each is 150 MB.
	maxCall   = 256 << 20
	maxAnswer = 1 << 30
)

// JSON within JSON would not keep its bytes: it goes as base64 beside the
// struct that it belongs to, whose own field of that name it hides.
type (
	wirePlanned struct {
		PlannedTrial
		Params []byte
	}
	wireTrial struct {
		Trial
		Params, Result []byte
	}
	wireAttempt struct {
		Attempt
		Result []byte
	}
	wireEnd struct {
		End
		Result []byte
	}
	wireSuggestion struct {
		Suggestion
		Params, Saw []byte
	}
	wireDecision struct {
		Decision
		Against []byte
	}
)

func (w wirePlanned) unwire() PlannedTrial {
	w.PlannedTrial.Params = w.Params
	return w.PlannedTrial
}

func (w wireTrial) unwire() Trial {
	w.Trial.Params, w.Trial.Result = w.Params, w.Result
	return w.Trial
}

func (w wireAttempt) unwire() Attempt {
	w.Attempt.Result = w.Result
	return w.Attempt
}

func (w wireEnd) unwire() End {
	w.End.Result = w.Result
	return w.End
}

func (w wireSuggestion) unwire() Suggestion {
	w.Suggestion.Params, w.Suggestion.Saw = w.Params, w.Saw
	return w.Suggestion
}

func (w wireDecision) unwire() Decision {
	w.Decision.Against = w.Against
	return w.Decision
}

func wirePlan(p PlannedTrial) wirePlanned       { return wirePlanned{p, p.Params} }
func wireOf(t Trial) wireTrial                  { return wireTrial{t, t.Params, t.Result} }
func wireTry(a Attempt) wireAttempt             { return wireAttempt{a, a.Result} }
func wireSuggested(s Suggestion) wireSuggestion { return wireSuggestion{s, s.Params, s.Saw} }
func wireDecided(d Decision) wireDecision       { return wireDecision{d, d.Against} }

// each puts a list into the form of the wire, or back. No list stays none.
func each[A, B any](all []A, one func(A) B) []B {
	if all == nil {
		return nil
	}
	out := make([]B, len(all))
	for i, a := range all {
		out[i] = one(a)
	}
	return out
}

// What calls carry that is more than one value.
type (
	nothing    struct{}
	wireCreate struct {
		Name, Fingerprint string
		Trials            []wirePlanned
	}
	wireExtend struct {
		From, To string
		Trials   []wirePlanned
	}
	wireHeartbeat struct {
		Claim Claim
		Now   time.Time
	}
	wireFinish struct {
		Claim Claim
		End   wireEnd
		Now   time.Time
	}
	wireReport struct {
		Claim  Claim
		Report Report
	}
)

// wireError is an error on its way to a worker, where it is the same again to
// errors.Is and errors.As.
type wireError struct {
	Text       string
	Superseded bool             `json:",omitempty"`
	Full       bool             `json:",omitempty"`
	Stopped    *Control         `json:",omitempty"`
	Other      *OtherStudyError `json:",omitempty"`
}

func wireErrorOf(err error) wireError {
	w := wireError{Text: err.Error(), Superseded: errors.Is(err, ErrSuperseded), Full: Full(err)}
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		w.Stopped = &stopped.Control
	}
	errors.As(err, &w.Other)
	return w
}

// typed says whether the error is one that programs tell by its type.
func (w wireError) typed() bool { return w.Superseded || w.Full || w.Stopped != nil || w.Other != nil }

// err is the error that was sent. One that says all itself stays as it is;
// others came from where.
func (w wireError) err(where string) error {
	switch {
	case w.Superseded:
		return &supersededError{w.Text}
	case w.Stopped != nil:
		return &StoppedError{*w.Stopped}
	case w.Other != nil:
		return w.Other
	}
	err := fmt.Errorf("store %s: its launcher says: %s", where, w.Text)
	if w.Full {
		return &fullError{err}
	}
	return err
}

// fullError is of a launcher whose disk has no room.
type fullError struct{ error }

// supersededError is an ErrSuperseded in the words of a launcher.
type supersededError struct{ text string }

func (e *supersededError) Error() string { return e.text }
func (e *supersededError) Unwrap() error { return ErrSuperseded }

// unstrict decodes what another version might have sent.
func unstrict(raw []byte) (w wireError) {
	if json.Unmarshal(raw, &w) != nil || w.Text == "" {
		w.Text = fmt.Sprintf("%.200s", raw)
	}
	return w
}
