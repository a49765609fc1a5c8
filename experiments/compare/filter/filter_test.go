package filter

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var example = map[string]any{
	"model.kind": "dnn", "model.hidden": []any{int64(64), int64(32)}, "recall": 0.75, "optimizer.learning_rate": 1e-3,
	"train.stratified": true, "name": "dnn-0", "source": "a/b c",
}

func values(name string) (any, bool) {
	v, ok := example[name]
	return v, ok
}

func TestMatch(t *testing.T) {
	for text, want := range map[string]bool{
		"model.kind=dnn":                             true,
		"model.kind == dnn":                          true,
		"model.kind!=dnn":                            false,
		"recall>0.7":                                 true,
		"recall>0.75":                                false,
		"recall>=0.75 && recall<=.75":                true,
		"recall<1e-1":                                false,
		"optimizer.learning_rate=0.001":              true,
		"optimizer.learning_rate=1e-3":               true,
		"model.hidden=[64,32]":                       true,
		"model.hidden = [64, 32] && recall>0":        true,
		"train.stratified=true":                      true,
		"name~dnn-*":                                 true,
		"name~dnn-??":                                false,
		"model.hidden~'[64*'":                        true,
		"source='a/b c'":                             true,
		`source~"a*c"`:                               true,
		"missing=1":                                  false,
		"missing!=1":                                 true,
		"missing<1":                                  false,
		"!model.kind=dnn":                            false,
		"!(model.kind=pca)":                          true,
		"model.kind=pca || recall>0.7":               true,
		"model.kind=pca && recall>1 || name=dnn-0":   true, // && binds closer
		"model.kind=pca && (recall>1 || name=dnn-0)": false,
		"model.kind=dnn || name>1":                   true, // decided before the text is compared
	} {
		f, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := f.Match(values); got != want || err != nil {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
	}
}

func TestErrorsPointAtTheirPlace(t *testing.T) {
	for text, want := range map[string]struct {
		at   int
		word string
	}{
		"":                       {1, "name of a parameter"},
		"recall":                 {7, "after recall"},
		"recall>":                {8, "value is missing"},
		"recall>0.7 &&":          {14, "name of a parameter"},
		"recall>0.7 & f1>1":      {12, "&& or ||"},
		"(recall>0.7":            {12, "closing bracket"},
		"recall>0.7)":            {11, "should end"},
		"name='dnn":              {6, "quote is not closed"},
		"model.hidden=[64, 32":   {14, "not closed"},
		"recall>=>1":             {9, "a value"},
		strings.Repeat("!", 300): {201, "within each other"},
	} {
		_, err := Parse(text)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Position != want.at || !strings.Contains(wrong.Problem, want.word) {
			t.Errorf("%s: %v, want %d ...%s...", text, err, want.at, want.word)
		}
	}
	f, err := Parse("recall>0 && name>1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Match(values); err == nil || !strings.Contains(err.Error(), "character 13: > compares numbers, and name is dnn-0") {
		t.Errorf("text compared as a number: %v", err)
	}
}

func TestCheck(t *testing.T) {
	f, err := Parse("recall>0 && model.kin=dnn")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"recall", "model.kind"}
	err = f.Check(func(name string) bool { return slices.Contains(known, name) }, known)
	if err == nil || !strings.Contains(err.Error(), "character 13: there is no parameter or metric model.kin; did you mean \"model.kind\"?") {
		t.Error(err)
	}
	if !slices.Equal(f.Names(), []string{"recall", "model.kin"}) {
		t.Error(f.Names())
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a=1", "(a<2||!b~c*)&&d='e'", "a=[1, {", "((("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := Parse(text); err == nil {
			c.Match(values)
		}
	})
}
