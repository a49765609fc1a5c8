package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestDtypesAgree: Do on float32 operands is the float64 result of the same
// operands rounded once, and operands are left as they were.
func TestDtypesAgree(t *testing.T) {
	for _, c := range opCases() {
		t.Run(c.name, func(t *testing.T) {
			in := c.operands(3)
			narrow, wide := make([]gorgonia.Value, len(in)), make([]gorgonia.Value, len(in))
			before := make([]matrix, len(in))
			for i, m := range in {
				narrow[i] = m.store(tensor.Float32, false)
				before[i], _ = load(narrow[i])
				wide[i] = before[i].store(tensor.Float64, false)
			}
			o := op{c.rule}
			got, err := o.Do(narrow...)
			if err != nil {
				t.Fatal(err)
			}
			want, err := o.Do(wide...)
			if err != nil {
				t.Fatal(err)
			}
			if got.Dtype() != tensor.Float32 || want.Dtype() != tensor.Float64 {
				t.Fatalf("dtypes %v and %v", got.Dtype(), want.Dtype())
			}
			g, _ := load(got)
			w, _ := load(want)
			for i := range w.data {
				if g.data[i] != float64(float32(w.data[i])) {
					t.Errorf("element %d: %v in float32, %v in float64", i, g.data[i], w.data[i])
				}
			}
			for i := range in {
				if after, _ := load(narrow[i]); !slices.Equal(after.data, before[i].data) {
					t.Errorf("operand %s was written", c.rule.operands()[i])
				}
			}
		})
	}
}

// TestLabelsTellOpsApart: gorgonia merges nodes by the label's hash, so two ops
// that compute different things must not share a label.
func TestLabelsTellOpsApart(t *testing.T) {
	clock := NewClock(1)
	rules := []rule{
		dense{}, dense{true}, denseGradX{}, denseGradW{}, columnSums{},
		dropout{0.5, 1, clock}, dropout{0.5, 2, clock}, dropout{0.25, 1, clock}, dropoutGrad{dropout{0.5, 1, clock}},
		corrupt{0.5, 0, 1, clock}, corrupt{0, 0.5, 1, clock}, corrupt{0.5, 0, 2, clock}, corruptGrad{corrupt{0.5, 0, 1, clock}},
		layerNorm{1e-5}, layerNorm{1e-3}, layerNormGradX{layerNorm{1e-5}}, layerNormGradGain{layerNorm{1e-5}},
		batchNorm{1e-5, clock}, batchNorm{1e-3, clock}, batchNormGradX{batchNorm{1e-5, clock}}, batchNormGradGain{batchNorm{1e-5, clock}},
		movingMean{moving{0.1, clock}}, movingMean{moving{0.2, clock}}, movingVariance{moving{0.1, clock}},
	}
	losses := []rowLoss{
		bce{}, bce{gamma: 2}, bce{gamma: 3}, bce{weights: []float32{1, 2}}, bce{weights: []float32{1, 3}},
		softmax{}, softmax{gamma: 2}, softmax{weights: []float32{1, 2}},
		mse{}, mse{regression{true}}, huber{regression{}, 1}, huber{regression{}, 2}, huber{regression{true}, 1},
	}
	for _, l := range losses {
		rules = append(rules, meanLoss{l}, meanLossGrad{l})
	}
	for f := kernels.ReLU; f <= kernels.Sigmoid; f++ {
		rules = append(rules, activation{f}, activationGrad{activation{f}})
	}
	seen, hashes := map[string]bool{}, map[uint32]string{}
	for _, r := range rules {
		if seen[r.label()] {
			t.Errorf("two ops are labelled %q", r.label())
		}
		seen[r.label()] = true
		h := op{r}.Hashcode()
		if other, taken := hashes[h]; taken {
			t.Errorf("%q and %q hash alike", other, r.label())
		}
		hashes[h] = r.label()
	}
}

// inputs makes input nodes of the given shapes in one graph.
func inputs(shapes ...extent) []*gorgonia.Node {
	g := gorgonia.NewGraph()
	n := make([]*gorgonia.Node, len(shapes))
	for i, s := range shapes {
		n[i] = gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(s.rows, s.cols), gorgonia.WithName(fmt.Sprintf("input%d", i)))
	}
	return n
}

// wantError fails unless err says all of the words.
func wantError(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", words)
	}
	if !strings.Contains(err.Error(), words) {
		t.Fatalf("error %q does not say %q", err, words)
	}
}

func TestConstructorsRefuse(t *testing.T) {
	clock := NewClock(1)
	one := func(_ *gorgonia.Node, err error) error { return err }
	nan := float32(math.NaN())
	cases := []struct {
		say string
		err error
	}{
		{"x is 4×3 and w is 5×2: w needs as many rows as x has columns", one(dense3(inputs(extent{4, 3}, extent{5, 2}, extent{1, 2})))},
		{"w is 3×2 and b is 2×1: b must be 1×2", one(dense3(inputs(extent{4, 3}, extent{3, 2}, extent{2, 1})))},
		{"operand w is missing", one(Dense(inputs(extent{4, 3})[0], nil, nil))},
		{"activation function 9", one(Activate(9, inputs(extent{4, 3})[0]))},
		{"dropout rate 1:", one(Dropout(inputs(extent{4, 3})[0], 1, 0, clock))},
		{"dropout rate NaN:", one(Dropout(inputs(extent{4, 3})[0], nan, 0, clock))},
		{"noise -1:", one(Corrupt(inputs(extent{4, 3})[0], -1, 0, 0, clock))},
		{"mask NaN:", one(Corrupt(inputs(extent{4, 3})[0], 1, nan, 0, clock))},
		{"norm epsilon 0:", one(layerNorm3(inputs(extent{4, 3}, extent{1, 3}, extent{1, 3}), 0))},
		{"gain must be 1×3", one(layerNorm3(inputs(extent{4, 3}, extent{1, 4}, extent{1, 3}), 1e-5))},
		{"running variance must be 1×3", batchNorm5(inputs(extent{4, 3}, extent{1, 3}, extent{1, 3}, extent{1, 3}, extent{1, 2}), 0.1)},
		{"batch norm momentum 0:", batchNorm5(inputs(extent{4, 3}, extent{1, 3}, extent{1, 3}, extent{1, 3}, extent{1, 3}), 0)},
		{"logits are 4×2 and target is 4×1: want both n×1", loss2(extent{4, 2}, extent{4, 1}, func(p, y *gorgonia.Node) error { return one(BinaryCrossEntropy(p, y, nil, 0)) })},
		{"3 class weights for 2 classes", loss2(extent{4, 1}, extent{4, 1}, func(p, y *gorgonia.Node) error { return one(BinaryCrossEntropy(p, y, []float32{1, 2, 3}, 0)) })},
		{"weight 0 of class 1", loss2(extent{4, 1}, extent{4, 1}, func(p, y *gorgonia.Node) error { return one(BinaryCrossEntropy(p, y, []float32{1, 0}, 0)) })},
		{"focal gamma NaN", loss2(extent{4, 1}, extent{4, 1}, func(p, y *gorgonia.Node) error { return one(BinaryCrossEntropy(p, y, nil, nan)) })},
		{"target must be 4×1", loss2(extent{4, 3}, extent{4, 3}, func(p, y *gorgonia.Node) error { return one(SoftmaxCrossEntropy(p, y, nil, 0)) })},
		{"at least two classes", loss2(extent{4, 1}, extent{4, 1}, func(p, y *gorgonia.Node) error { return one(SoftmaxCrossEntropy(p, y, nil, 0)) })},
		{"pred is 4×3 and target is 4×2: want one shape", loss2(extent{4, 3}, extent{4, 2}, func(p, y *gorgonia.Node) error { return one(MeanSquaredError(p, y, nil)) })},
		{"feature weight is 4×3: it must be 1×3", loss2(extent{4, 3}, extent{4, 3}, func(p, y *gorgonia.Node) error { return one(MeanSquaredError(p, y, y)) })},
		{"huber delta 0:", loss2(extent{4, 3}, extent{4, 3}, func(p, y *gorgonia.Node) error { return one(Huber(p, y, nil, 0)) })},
	}
	for _, c := range cases {
		t.Run(c.say, func(t *testing.T) { wantError(t, c.err, c.say) })
	}
}

func dense3(n []*gorgonia.Node) (*gorgonia.Node, error) { return Dense(n[0], n[1], n[2]) }

func layerNorm3(n []*gorgonia.Node, epsilon float32) (*gorgonia.Node, error) {
	return LayerNorm(n[0], n[1], n[2], epsilon)
}

func batchNorm5(n []*gorgonia.Node, momentum float32) error {
	_, _, _, err := BatchNorm(n[0], n[1], n[2], n[3], n[4], 1e-5, momentum, NewClock(1))
	return err
}

func loss2(pred, target extent, build func(pred, target *gorgonia.Node) error) error {
	n := inputs(pred, target)
	return build(n[0], n[1])
}

// compute runs a rule on literal operands.
func compute(t *testing.T, r rule, in ...matrix) matrix {
	t.Helper()
	shapes := make([]extent, len(in))
	for i, m := range in {
		shapes[i] = m.extent
	}
	e, err := r.infer(shapes)
	if err != nil {
		t.Fatal(err)
	}
	out := newMatrix(e)
	if err := r.compute(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExtremeLogits: a loss is finite and its gradient within its bound for
// logits that overflow e^z, and a confident right answer costs nothing.
func TestExtremeLogits(t *testing.T) {
	for _, gamma := range []float32{0, 0.5, 2} {
		logits, target := values(4, 1, 1000, -1000, 1000, -1000), values(4, 1, 1, 0, 0, 1)
		if got := compute(t, meanLoss{bce{gamma: gamma}}, logits, target).data[0]; !(math.Abs(got-500) < 1e-9) {
			t.Errorf("bce gamma %v: %v, want 500", gamma, got)
		}
		grad := compute(t, meanLossGrad{bce{gamma: gamma}}, logits, target, values(1, 1, 4)).data
		if want := []float64{0, 0, 1, -1}; !slices.EqualFunc(grad, want, near) {
			t.Errorf("bce gamma %v: gradient %v, want %v", gamma, grad, want)
		}
		wide := values(2, 3, 1000, -1000, 0, 1000, -1000, 0)
		class := values(2, 1, 0, 1)
		if got := compute(t, meanLoss{softmax{gamma: gamma}}, wide, class).data[0]; !(math.Abs(got-1000) < 1e-9) {
			t.Errorf("softmax gamma %v: %v, want 1000", gamma, got)
		}
		grad = compute(t, meanLossGrad{softmax{gamma: gamma}}, wide, class, values(1, 1, 2)).data
		if want := []float64{0, 0, 0, 1, -1, 0}; !slices.EqualFunc(grad, want, near) {
			t.Errorf("softmax gamma %v: gradient %v, want %v", gamma, grad, want)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }

// TestNaNPasses: an op that swallowed a NaN would hide that training diverged.
func TestNaNPasses(t *testing.T) {
	nan := values(1, 2, math.NaN(), 1)
	for f := kernels.ReLU; f <= kernels.Sigmoid; f++ {
		if got := compute(t, activation{f}, nan); !math.IsNaN(got.data[0]) || math.IsNaN(got.data[1]) {
			t.Errorf("%s of (NaN, 1) is %v", activation{f}.label(), got.data)
		}
	}
	for _, l := range []rowLoss{bce{}, bce{gamma: 2}} {
		if got := compute(t, meanLoss{l}, values(1, 1, math.NaN()), values(1, 1, 1)); !math.IsNaN(got.data[0]) {
			t.Errorf("%s of NaN is %v", l.label(), got.data)
		}
	}
	for _, l := range []rowLoss{softmax{}, softmax{gamma: 2}} {
		if got := compute(t, meanLoss{l}, nan, values(1, 1, 1)); !math.IsNaN(got.data[0]) {
			t.Errorf("%s of NaN is %v", l.label(), got.data)
		}
	}
	for _, l := range []rowLoss{mse{}, huber{regression{}, 1}} {
		if got := compute(t, meanLoss{l}, nan, values(1, 2, 0, 0)); !math.IsNaN(got.data[0]) {
			t.Errorf("%s of NaN is %v", l.label(), got.data)
		}
	}
}

func TestTargetsMustBeClasses(t *testing.T) {
	for _, bad := range []float64{2, -1, 0.5, math.NaN(), math.Inf(1)} {
		out := newMatrix(extent{1, 1})
		err := meanLoss{bce{}}.compute([]matrix{values(1, 1, 0), values(1, 1, bad)}, out)
		wantError(t, err, fmt.Sprintf("target of row 0 is %v: want a class, 0 to 1", bad))
		err = meanLoss{softmax{}}.compute([]matrix{values(1, 2, 0, 0), values(1, 1, bad)}, out)
		wantError(t, err, "want a class, 0 to 1")
	}
}

// TestKnownValues pins each op to numbers worked out by hand or from a table.
func TestKnownValues(t *testing.T) {
	cases := []struct {
		rule rule
		in   []matrix
		want []float64
	}{
		{dense{true}, []matrix{values(1, 2, 1, 2), values(2, 2, 1, 2, 3, 4), values(1, 2, 10, 20)}, []float64{17, 30}},
		{activation{kernels.ReLU}, []matrix{values(1, 3, -1, 0, 2)}, []float64{0, 0, 2}},
		{activation{kernels.LeakyReLU}, []matrix{values(1, 3, -1, 0, 2)}, []float64{-0.01, 0, 2}},
		{activation{kernels.GELU}, []matrix{values(1, 3, -1, 0, 1)}, []float64{-0.15865525393145707, 0, 0.8413447460685429}}, // Φ(1)
		{activation{kernels.Tanh}, []matrix{values(1, 1, 1)}, []float64{0.7615941559557649}},
		{activation{kernels.Sigmoid}, []matrix{values(1, 1, 0)}, []float64{0.5}},
		{layerNorm{1e-12}, []matrix{values(1, 2, 1, 3), values(1, 2, 2, 2), values(1, 2, 0, 1)}, []float64{-2, 3}},
		{batchNorm{1e-12, NewClock(0)}, []matrix{values(2, 1, 1, 3), values(1, 1, 2), values(1, 1, 1), values(1, 1, 9), values(1, 1, 9)}, []float64{-1, 3}},
		{batchNorm{1e-12, &Clock{Scoring: true}}, []matrix{values(2, 1, 1, 3), values(1, 1, 2), values(1, 1, 1), values(1, 1, 1), values(1, 1, 4)}, []float64{1, 3}},
		{movingMean{moving{0.25, NewClock(0)}}, []matrix{values(1, 1, 8), values(2, 1, 1, 3)}, []float64{6.5}},
		{movingVariance{moving{0.25, NewClock(0)}}, []matrix{values(1, 1, 8), values(2, 1, 1, 3)}, []float64{6.5}}, // unbiased: 2
		{movingVariance{moving{0.25, NewClock(0)}}, []matrix{values(1, 1, 8), values(1, 1, 3)}, []float64{8}},
		{movingMean{moving{0.25, &Clock{Scoring: true}}}, []matrix{values(1, 1, 8), values(2, 1, 1, 3)}, []float64{8}},
		{meanLoss{bce{weights: []float32{1, 10}}}, []matrix{values(2, 1, 0, 0), values(2, 1, 0, 1)}, []float64{5.5 * math.Ln2}},
		{meanLoss{bce{gamma: 2}}, []matrix{values(1, 1, 0), values(1, 1, 1)}, []float64{0.25 * math.Ln2}},
		{meanLoss{softmax{}}, []matrix{values(1, 4, 7, 7, 7, 7), values(1, 1, 3)}, []float64{2 * math.Ln2}},
		{meanLoss{mse{regression{true}}}, []matrix{values(1, 2, 1, 2), values(1, 2, 0, 0), values(1, 2, 2, 0.5)}, []float64{2}},
		{meanLoss{huber{regression{}, 1}}, []matrix{values(1, 2, 0.5, 3), values(1, 2, 0, 0)}, []float64{(0.125 + 2.5) / 2}},
	}
	for _, c := range cases {
		if got := compute(t, c.rule, c.in...).data; !slices.EqualFunc(got, c.want, near) {
			t.Errorf("%s: %v, want %v", c.rule.label(), got, c.want)
		}
	}
}

// TestRandomOpsFollowTheClock: masks and noise are those of the kernels'
// generator, change with the step and vanish when scoring.
func TestRandomOpsFollowTheClock(t *testing.T) {
	clock := NewClock(42)
	x := newMatrix(extent{50, 40})
	fill64(x.data, 2)
	d := dropout{0.25, 3, clock}
	first := compute(t, d, x)
	dropped := 0
	for e, v := range first.data {
		want := 0.0
		if kernels.Keep(42, 1, 3, uint64(e), 0.25) {
			want = 2 / 0.75
		} else {
			dropped++
		}
		if !near(v, want) {
			t.Fatalf("dropout element %d: %v, want %v", e, v, want)
		}
	}
	// 2,000 draws at 0.25: mean 500, deviation 19.
	if dropped < 400 || dropped > 600 {
		t.Errorf("%d of 2000 dropped at rate 0.25", dropped)
	}
	c := corrupt{0.5, 0.25, 4, clock}
	for e, v := range compute(t, c, x).data {
		want := 0.0
		if kernels.Keep(42, 1, 4, uint64(e), 0.25) {
			want = 2 + 0.5*float64(kernels.Normal(42, 1, 4, uint64(e)))
		}
		if !near(v, want) {
			t.Fatalf("corrupt element %d: %v, want %v", e, v, want)
		}
	}
	clock.Step = 2
	if slices.Equal(compute(t, d, x).data, first.data) {
		t.Error("two steps have one mask")
	}
	clock.Scoring = true
	for _, r := range []rule{d, c, dropoutGrad{d}, corruptGrad{c}} {
		if !slices.Equal(compute(t, r, x).data, x.data) {
			t.Errorf("%s changes values when scoring", r.label())
		}
	}
}

func fill64(v []float64, x float64) {
	for i := range v {
		v[i] = x
	}
}

// TestRefusedValues: what Do cannot compute on is an error, not a panic.
func TestRefusedValues(t *testing.T) {
	o := op{dense{}}
	x := tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float32))
	w := tensor.New(tensor.WithShape(3, 2), tensor.Of(tensor.Float32))
	transposed := w.Clone().(*tensor.Dense)
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		say string
		in  []gorgonia.Value
	}{
		{"1 operands, want 2", []gorgonia.Value{x}},
		{"no value", []gorgonia.Value{x, nil}},
		{"one dtype", []gorgonia.Value{x, tensor.New(tensor.WithShape(3, 2), tensor.Of(tensor.Float64))}},
		{"want float32 or float64", []gorgonia.Value{x, tensor.New(tensor.WithShape(3, 2), tensor.Of(tensor.Int))}},
		{"strided", []gorgonia.Value{x, transposed}},
		{"two dimensions", []gorgonia.Value{x, tensor.New(tensor.WithShape(6), tensor.Of(tensor.Float32))}},
		{"as many rows as x has columns", []gorgonia.Value{x, x}},
	}
	for _, c := range cases {
		_, err := o.Do(c.in...)
		wantError(t, err, c.say)
	}
}

// TestEqualNodesMerge: gorgonia gives one node to one op over one set of
// operands, and different attributes keep nodes apart.
func TestEqualNodesMerge(t *testing.T) {
	n := inputs(extent{4, 3})
	clock := NewClock(1)
	a, _ := Dropout(n[0], 0.5, 1, clock)
	b, _ := Dropout(n[0], 0.5, 1, clock)
	c, _ := Dropout(n[0], 0.5, 2, clock)
	if a != b || a == c {
		t.Errorf("equal sites are one node: %v; different streams are one node: %v", a == b, a == c)
	}
}
