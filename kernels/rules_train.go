package kernels

import "fmt"

func (c *checker) loss(in Loss) {
	if !c.given("Pred", in.Pred) || !c.given("Target", in.Target) || !c.given("DPred", in.DPred) {
		return
	}
	cols := c.p.Buffers[in.Pred].Cols
	c.sample("Pred", in.Pred, 0, Activation)
	c.sample("DPred", in.DPred, cols, Activation)
	c.within("Gamma", in.Gamma, 0, infinite)
	switch in.Kind {
	case BCE, SoftmaxCE:
		c.classLoss(in, cols)
	case MSE, Huber:
		c.sample("Target", in.Target, cols, Table, Activation)
		c.shape("FeatureWeight", in.FeatureWeight, 1, cols, Constant)
		if in.Kind == Huber && !(in.Delta > 0) {
			c.fail("Delta is %v, want above 0", in.Delta)
		}
		if in.ClassWeight != nil || in.Gamma != 0 {
			c.fail("ClassWeight and Gamma belong to BCE and SoftmaxCE")
		}
	default:
		c.fail("unknown loss kind %d", in.Kind)
	}
}

func (c *checker) classLoss(in Loss, cols int) {
	c.sample("Target", in.Target, 1, Target)
	if in.FeatureWeight != None {
		c.fail("FeatureWeight belongs to MSE and Huber")
	}
	classes := 2
	if in.Kind == SoftmaxCE {
		classes = cols
	}
	if (cols == 1) != (in.Kind == BCE) {
		c.fail("Pred %q has %d columns; BCE wants 1, SoftmaxCE more", c.p.Buffers[in.Pred].Name, cols)
	}
	if in.ClassWeight != nil && len(in.ClassWeight) != classes {
		c.fail("%d ClassWeights for %d classes", len(in.ClassWeight), classes)
	}
	for i, w := range in.ClassWeight {
		c.within(fmt.Sprintf("ClassWeight[%d]", i), w, 0, infinite)
	}
}

func (c *checker) update(in Update) {
	n := len(in.Params)
	if n == 0 || len(in.Grads) != n {
		c.fail("%d Params and %d Grads, want as many, at least one", n, len(in.Grads))
		return
	}
	if len(in.Decay) != n && (in.WeightDecay != 0 || in.Decay != nil) {
		c.fail("%d Decay flags for %d Params", len(in.Decay), n)
	}
	c.allGiven("Params", in.Params)
	c.allGiven("Grads", in.Grads)
	adam := in.Kind == Adam || in.Kind == AdamW
	c.moments("M1", in.M1, n, adam || in.Momentum != 0)
	c.moments("M2", in.M2, n, adam)
	if c.err != nil {
		return
	}
	for i, b := range in.Params {
		rows, cols := c.p.Buffers[b].Rows, c.p.Buffers[b].Cols
		c.kind(fmt.Sprintf("Params[%d]", i), b, Parameter)
		c.shape(fmt.Sprintf("Grads[%d]", i), in.Grads[i], rows, cols, Gradient)
		c.moment(fmt.Sprintf("M1[%d]", i), in.M1, i, rows, cols)
		c.moment(fmt.Sprintf("M2[%d]", i), in.M2, i, rows, cols)
	}
	c.updateOptions(in, adam)
}

// moments checks that an optimiser state that the rule needs is there for every
// parameter, and one that it does not need for none.
func (c *checker) moments(field string, list []Buf, n int, needed bool) {
	if needed && len(list) != n {
		c.fail("%d %s for %d Params", len(list), field, n)
	}
	for i, b := range list {
		if needed != (b != None) {
			c.fail("%s[%d] is %d; this rule needs it: %v", field, i, b, needed)
		}
	}
}

func (c *checker) moment(field string, list []Buf, i, rows, cols int) {
	if i < len(list) {
		c.shape(field, list[i], rows, cols, Moment)
	}
}

func (c *checker) updateOptions(in Update, adam bool) {
	c.within("WeightDecay", in.WeightDecay, 0, infinite)
	switch {
	case adam:
		c.within("Beta1", in.Beta1, 0, 1)
		c.within("Beta2", in.Beta2, 0, 1)
		c.within("Epsilon", in.Epsilon, 0, infinite)
	case in.Kind == SGD:
		c.within("Momentum", in.Momentum, 0, 1)
	default:
		c.fail("unknown optimizer kind %d", in.Kind)
	}
}
