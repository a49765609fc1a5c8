package kernels

import (
	"strings"
	"testing"
)

// The buffers of valid(), by place in its list.
const (
	bX Buf = iota
	bTarget
	bNoisy
	bW0
	bB0
	bHidden
	bGain
	bBias
	bMean
	bVar
	bHat
	bInvStd
	bZ
	bNormed
	bW1
	bLogit
	bDLogit
	bDNormed
	bDHidden
	bDW0
	bDB0
	bDGain
	bDBias
	bDW1
	bM1
	bM2
)

// valid is a denoising 3-4-1 classifier with a batch norm: every instruction once.
func valid() *Program {
	p := &Program{Batch: 8, Output: bLogit}
	add := func(name string, kind Kind, rows, cols int) {
		b := Buffer{Name: name, Kind: kind, Rows: rows, Cols: cols, PerSample: rows == 8, Offset: -1}
		if kind != Table && kind != Target {
			b.Offset = p.ArenaLen
			p.ArenaLen += (b.Len() + Alignment - 1) / Alignment * Alignment
		}
		p.Buffers = append(p.Buffers, b)
	}
	add("x", Table, 8, 3)
	add("y", Target, 8, 1)
	add("noisy", Activation, 8, 3)
	add("w0", Parameter, 3, 4)
	add("b0", Parameter, 1, 4)
	add("hidden", Activation, 8, 4)
	add("gain", Parameter, 1, 4)
	add("bias", Parameter, 1, 4)
	add("mean", Statistic, 1, 4)
	add("var", Statistic, 1, 4)
	add("hat", Activation, 8, 4)
	add("invstd", Activation, 1, 4)
	add("z", Activation, 8, 4)
	add("normed", Activation, 8, 4)
	add("w1", Parameter, 4, 1)
	add("logit", Activation, 8, 1)
	add("dlogit", Activation, 8, 1)
	add("dnormed", Activation, 8, 4)
	add("dhidden", Activation, 8, 4)
	add("w0.grad", Gradient, 3, 4)
	add("b0.grad", Gradient, 1, 4)
	add("gain.grad", Gradient, 1, 4)
	add("bias.grad", Gradient, 1, 4)
	add("w1.grad", Gradient, 4, 1)
	add("w0.m1", Moment, 3, 4)
	add("w0.m2", Moment, 3, 4)

	gelu := Epilogue{Activation: GELU, DropRate: 0.5, Stream: 1}
	corrupt := Corrupt{X: bX, Y: bNoisy, Sigma: 1, MaskRate: 0.5, Stream: 2}
	dense0 := Dense{X: bNoisy, W: bW0, B: bB0, Y: bHidden, Z: None}
	norm := Norm{Kind: BatchNorm, X: bHidden, Gain: bGain, Bias: bBias, Y: bNormed, Z: bZ, Hat: bHat, InvStd: bInvStd,
		RunMean: bMean, RunVar: bVar, Epsilon: 1e-5, Momentum: 0.1, Epilogue: gelu}
	dense1 := Dense{X: bNormed, W: bW1, B: None, Y: bLogit, Z: None}
	p.Score = []Instruction{corrupt, dense0, norm, dense1}
	p.Train = []Instruction{corrupt, dense0, norm, dense1,
		Loss{Kind: BCE, Pred: bLogit, Target: bTarget, DPred: bDLogit, ClassWeight: []float32{1, 500}, FeatureWeight: None},
		DenseGrad{X: bNormed, W: bW1, Y: bLogit, Z: None, DY: bDLogit, DX: bDNormed, DW: bDW1, DB: None},
		NormGrad{Kind: BatchNorm, Gain: bGain, Y: bNormed, Z: bZ, Hat: bHat, InvStd: bInvStd,
			DY: bDNormed, DX: bDHidden, DGain: bDGain, DBias: bDBias, Epilogue: gelu},
		DenseGrad{X: bNoisy, W: bW0, Y: bHidden, Z: None, DY: bDHidden, DX: None, DW: bDW0, DB: bDB0},
		ClipGradient{Grads: []Buf{bDW0, bDB0, bDGain, bDBias, bDW1}, MaxNorm: 1},
		Update{Kind: Adam, Params: []Buf{bW0}, Grads: []Buf{bDW0}, M1: []Buf{bM1}, M2: []Buf{bM2},
			Decay: []bool{true}, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
	}
	return p
}

// edit replaces instruction at of Train by what change makes of it.
func edit[I Instruction](at int, change func(*I)) func(*Program) {
	return func(p *Program) {
		in := p.Train[at].(I)
		change(&in)
		p.Train[at] = in
	}
}

func buffer(b Buf, change func(*Buffer)) func(*Program) {
	return func(p *Program) { change(&p.Buffers[b]) }
}

func TestCheckAcceptsSharedPlaces(t *testing.T) {
	p := valid()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	// dhidden lives from instruction 6 to 7: logit (to 4) and dlogit (to 5),
	// which lie side by side and have its size together, are dead by then;
	// dnormed, which follows them, is not.
	p.Buffers[bDHidden].Offset = p.Buffers[bLogit].Offset
	if err := p.Check(); err != nil {
		t.Errorf("disjoint lifetimes: %v", err)
	}
	p.Buffers[bDHidden].Offset = p.Buffers[bDLogit].Offset
	want := `"dhidden" (6 to 7) and "dnormed" (5 to 6)`
	if err := p.Check(); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "instructions ", ""), want) {
		t.Errorf("overlapping lifetimes: got %v, want %s", err, want)
	}
}

func TestCheckNamesTheFault(t *testing.T) {
	for want, spoil := range map[string]func(*Program){
		"Batch is 0":                       func(p *Program) { p.Batch = 0 },
		"neither Train nor Score":          func(p *Program) { p.Train, p.Score = nil, nil },
		`buffer 3 "": a buffer needs a`:    buffer(bW0, func(b *Buffer) { b.Name = "" }),
		`buffer 4 "w0": a buffer needs a`:  buffer(bB0, func(b *Buffer) { b.Name = "w0" }),
		"unknown kind Kind(99)":            buffer(bW0, func(b *Buffer) { b.Kind = 99 }),
		`"w0": shape 0×4`:                  buffer(bW0, func(b *Buffer) { b.Rows = 0 }),
		"shape 9223372036854775807×4":      buffer(bW0, func(b *Buffer) { b.Rows = 1<<63 - 1 }),
		`"w0": Offset 7 is not a multiple`: buffer(bW0, func(b *Buffer) { b.Offset = 7 }),
		"outside the arena":                func(p *Program) { p.ArenaLen -= 16 },
		`"x": Offset is 0, but a Table`:    buffer(bX, func(b *Buffer) { b.Offset = 0 }),
		`"noisy": 7 rows for Batch 8`:      buffer(bNoisy, func(b *Buffer) { b.Rows = 7 }),
		"PerSample is false for a Table":   buffer(bX, func(b *Buffer) { b.PerSample = false }),
		"a Target has 1 column":            buffer(bTarget, func(b *Buffer) { b.Cols = 2 }),
		"1 Table and 2 Target":             buffer(bNoisy, func(b *Buffer) { b.Kind, b.Cols, b.Offset = Target, 1, -1 }),
		`"w0" and "b0" share place`:        func(p *Program) { p.Buffers[bB0].Offset = p.Buffers[bW0].Offset },
		`"noisy" and "w0" share place`:     func(p *Program) { p.Buffers[bW0].Offset = p.Buffers[bNoisy].Offset },

		`"w0" and "hidden" share place`:   func(p *Program) { p.Buffers[bHidden].Offset = p.Buffers[bW0].Offset },
		`"dnormed" (instructions 5 to 6)`: func(p *Program) { p.Buffers[bDHidden].Offset = p.Buffers[bDNormed].Offset },

		"train[0] Corrupt: Sigma is -1":    edit(0, func(c *Corrupt) { c.Sigma = -1 }),
		"train[0] Corrupt: MaskRate is 1":  edit(0, func(c *Corrupt) { c.MaskRate = 1 }),
		"train[1] Dense: X is None":        edit(1, func(d *Dense) { d.X = None }),
		"train[1] Dense: W is buffer 99":   edit(1, func(d *Dense) { d.W = 99 }),
		"train[1] Dense: X is buffer -2":   edit(1, func(d *Dense) { d.X = -2 }),
		`Dense: W "w1" is 4×1`:             edit(1, func(d *Dense) { d.W = bW1 }),
		`Dense: B "w0" is 3×4`:             edit(1, func(d *Dense) { d.B = bW0 }),
		`X "hidden" is read before any`:    func(p *Program) { p.Train[1], p.Train[2] = p.Train[2], p.Train[1] },
		`Z and Y are both "hidden"`:        edit(1, func(d *Dense) { d.Z = bHidden }),
		"DropRate is 1, want at least 0":   edit(1, func(d *Dense) { d.Epilogue.DropRate = 1 }),
		"unknown activation 9":             edit(1, func(d *Dense) { d.Epilogue.Activation = 9 }),
		"train[2] Norm: RunMean and":       edit(2, func(n *Norm) { n.RunMean = None }),
		"train[2] Norm: unknown norm kind": edit(2, func(n *Norm) { n.Kind = 0 }),
		`InvStd "invstd" is not per`:       edit(2, func(n *Norm) { n.Kind = LayerNorm }),
		"stream 1 is also that of train[1": func(p *Program) {
			e := Epilogue{DropRate: 0.1, Stream: 1}
			edit(1, func(d *Dense) { d.Epilogue = e })(p)
			edit(7, func(d *DenseGrad) { d.Epilogue = e })(p)
		},

		"Loss: unknown loss kind 0":          edit(4, func(l *Loss) { l.Kind = 0 }),
		"3 ClassWeights for 2 classes":       edit(4, func(l *Loss) { l.ClassWeight = make([]float32, 3) }),
		"ClassWeight[1] is -1":               edit(4, func(l *Loss) { l.ClassWeight = []float32{1, -1} }),
		"BCE wants 1, SoftmaxCE more":        edit(4, func(l *Loss) { l.Kind = SoftmaxCE }),
		`Loss: Target "y" is a Target, want`: edit(4, func(l *Loss) { l.Kind = MSE }),
		"FeatureWeight belongs to MSE":       edit(4, func(l *Loss) { l.FeatureWeight = bGain }),
		"DenseGrad: no Dense before it":      edit(5, func(d *DenseGrad) { d.Epilogue.Activation = ReLU }),
		"NormGrad: no Norm before it":        edit(6, func(n *NormGrad) { n.Z = None }),
		`DX "dlogit" has 1 columns, want 4`:  edit(6, func(n *NormGrad) { n.DX = bDLogit }),
		`DW "w1.grad" is 4×1 (per sample: f`: edit(7, func(d *DenseGrad) { d.DW = bDW1 }),
		"MaxNorm is 0":                       edit(8, func(c *ClipGradient) { c.MaxNorm = 0 }),
		`Grads[0] "w0" is a Parameter`:       edit(8, func(c *ClipGradient) { c.Grads = []Buf{bW0} }),
		"0 M2 for 1 Params":                  edit(9, func(u *Update) { u.M2 = nil }),
		"Beta1 is 1, want":                   edit(9, func(u *Update) { u.Beta1 = 1 }),
		"M1[0] is 24; this rule needs it":    edit(9, func(u *Update) { u.Kind, u.M2 = SGD, nil }),
		"unknown optimizer kind 0":           edit(9, func(u *Update) { u.Kind, u.M1, u.M2 = 0, nil, nil }),
		`Grads[0] "w1.grad" is 4×1`:          edit(9, func(u *Update) { u.Grads = []Buf{bDW1} }),
		"Params[0] is None":                  edit(9, func(u *Update) { u.Params = []Buf{None} }),
		"2 Decay flags for 1":                edit(9, func(u *Update) { u.Decay = make([]bool, 2) }),

		"train: 0 Loss instructions":      func(p *Program) { p.Train = p.Train[:4] },
		"score[4] Loss: only Corrupt":     func(p *Program) { p.Score = append(p.Score, p.Train[4]) },
		`score: Output "w0" is no activa`: func(p *Program) { p.Output = bW0 },
		"score: Output is buffer -1":      func(p *Program) { p.Output = None },
		`DX "dnormed" is the gradient in a Table`: func(p *Program) {
			d, g := p.Train[1].(Dense), p.Train[7].(DenseGrad)
			d.X, g.X, g.DX = bX, bX, bDNormed
			p.Buffers[bDNormed].Cols = 3
			p.Train = []Instruction{d, Loss{Kind: MSE, Pred: bHidden, Target: bHidden, DPred: bDHidden, FeatureWeight: None}, g}
		},
	} {
		p := valid()
		spoil(p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
