package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"flowbench/kernels"
)

func mustInit(t testing.TB, m *Model, seed uint64) map[string][]float32 {
	t.Helper()
	return mustInitAs(t, m, He, seed)
}

func mustInitAs(t testing.TB, m *Model, scheme Scheme, seed uint64) map[string][]float32 {
	t.Helper()
	v, err := m.Init(scheme, seed)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestInitNamesEveryBuffer: a host that writes what Init returns leaves no
// parameter, statistic or constant at the arena's zero by accident.
func TestInitNamesEveryBuffer(t *testing.T) {
	for _, norm := range []string{"none", "layer", "batch"} {
		a := Architecture{Inputs: 6, Hidden: []int{5, 4}, Outputs: 6, Activation: kernels.ReLU, Norm: norm}
		m := mustBuild(t, a, Objective{Kind: kernels.MSE, FeatureWeight: true}, 3)
		values := mustInit(t, m, 1)
		for _, b := range mustLower(t, m, adam).Buffers {
			switch b.Kind {
			case kernels.Parameter, kernels.Statistic, kernels.Constant:
				if len(values[b.Name]) != b.Len() {
					t.Errorf("norm %s: %d values for %s of %d", norm, len(values[b.Name]), b.Name, b.Len())
				}
				delete(values, b.Name)
			}
		}
		if len(values) != 0 {
			t.Errorf("norm %s: values for %v, which the program lacks", norm, values)
		}
		if err := m.Bind(mustInit(t, m, 1)); err != nil {
			t.Errorf("norm %s: %v", norm, err)
		}
	}
}

// TestInitDistributions compares mean, variance and range of each parameter
// with its law. The bounds are five standard errors: of the mean σ/√n, of the
// variance of a normal σ²·√(2/n), of a uniform σ²·√(0.8/n).
func TestInitDistributions(t *testing.T) {
	cases := []struct {
		scheme Scheme
		f      kernels.ActivationFunc
		norm   string
		he     bool // the law that the hidden weights are to follow
	}{
		{He, kernels.ReLU, "", true}, {He, kernels.LeakyReLU, "", true}, {He, kernels.GELU, "", true}, {He, kernels.ReLU, "batch", true},
		{He, kernels.Tanh, "", false}, {He, kernels.Sigmoid, "layer", false}, {He, kernels.Identity, "", false},
		{Glorot, kernels.ReLU, "", false}, {Glorot, kernels.GELU, "batch", false}, {Glorot, kernels.Tanh, "", false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			a := Architecture{Inputs: 80, Hidden: []int{120}, Outputs: 80, Activation: c.f, Norm: c.norm}
			v := mustInitAs(t, mustBuild(t, a, Objective{Kind: kernels.MSE}, 3), c.scheme, 5)
			if c.he {
				checkLaw(t, v["dense0.weight"], 2.0/80, math.Sqrt(2), math.Inf(1))
			} else {
				checkLaw(t, v["dense0.weight"], 2.0/200, math.Sqrt(0.8), math.Sqrt(6.0/200))
			}
			checkLaw(t, v["dense1.weight"], 2.0/200, math.Sqrt(0.8), math.Sqrt(6.0/200))
			if !slices.Equal(v["dense1.bias"], make([]float32, 80)) {
				t.Error("the bias is not 0")
			}
			if c.norm == "" {
				return
			}
			ones := make([]float32, 120)
			fill(ones, 1)
			if !slices.Equal(v["norm0.gain"], ones) || !slices.Equal(v["norm0.bias"], make([]float32, 120)) {
				t.Error("gain is not 1 or bias not 0")
			}
			if c.norm == "batch" && (!slices.Equal(v["norm0.running_variance"], ones) || !slices.Equal(v["norm0.running_mean"], make([]float32, 120))) {
				t.Error("running variance is not 1 or running mean not 0")
			}
		})
	}
}

func checkLaw(t *testing.T, v []float32, variance, spread, limit float64) {
	t.Helper()
	wide := make([]float64, len(v))
	for i, x := range v {
		wide[i] = float64(x)
		if math.Abs(wide[i]) > limit*(1+1e-6) {
			t.Fatalf("element %d is %v, beyond %v", i, x, limit)
		}
	}
	n := float64(len(v))
	mean, got := moments(wide)
	if !(math.Abs(mean) <= 5*math.Sqrt(variance/n)) {
		t.Errorf("mean %v of %v values", mean, n)
	}
	if !(math.Abs(got-variance) <= 5*variance*spread/math.Sqrt(n)) {
		t.Errorf("variance %v, want %v", got, variance)
	}
}

// TestInitIsAFunctionOfSeedAndPlace: equal seeds give equal bits, other seeds
// and other parameters other numbers, and batch size none of it.
func TestInitIsAFunctionOfSeedAndPlace(t *testing.T) {
	a := Architecture{Inputs: 8, Hidden: []int{8, 8}, Outputs: 1, Activation: kernels.ReLU}
	m, other := mustBuild(t, a, Objective{Kind: kernels.BCE}, 3), mustBuild(t, a, Objective{Kind: kernels.BCE}, 64)
	v, w := mustInit(t, m, 9), mustInit(t, other, 9)
	for name := range v {
		if !slices.Equal(v[name], w[name]) {
			t.Errorf("%s depends on the batch", name)
		}
	}
	if slices.Equal(v["dense0.weight"], v["dense1.weight"]) {
		t.Error("two layers start equal")
	}
	if slices.Equal(v["dense0.weight"], mustInit(t, m, 10)["dense0.weight"]) {
		t.Error("two seeds start equal")
	}
	// Element 3 of parameter 0, and element 5 of parameter 4, the last weight.
	if want := float32(math.Sqrt(2.0/8) * float64(kernels.Normal(9, 0, 0, 3))); v["dense0.weight"][3] != want {
		t.Errorf("dense0.weight[3] is %v, want %v", v["dense0.weight"][3], want)
	}
	if want := float32(math.Sqrt(6.0/9) * (2*float64(kernels.Uniform(9, 4, 5)) - 1)); v["dense2.weight"][5] != want {
		t.Errorf("dense2.weight[5] is %v, want %v", v["dense2.weight"][5], want)
	}
}
