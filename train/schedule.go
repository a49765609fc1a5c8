package train

import "math"

// learningRate is the rate of a step, from 0, of an epoch, from 0.
//
// Warm-up rises linearly, a step at a time, over the first WarmupEpochs; what
// remains is constant, falls along half a cosine to MinRate at the last step
// (Loshchilov, Hutter, SGDR, 2017, without restarts), or is multiplied by
// Factor after every StepEpochs epochs.
func learningRate(c OptimizerConfig, step, stepsPerEpoch, epochs int) float64 {
	warmup := c.Schedule.WarmupEpochs * stepsPerEpoch
	if step < warmup {
		return c.LearningRate * float64(step+1) / float64(warmup)
	}
	switch c.Schedule.Kind {
	case "cosine":
		span := epochs*stepsPerEpoch - warmup - 1
		if span <= 0 {
			return c.LearningRate
		}
		done := math.Min(1, float64(step-warmup)/float64(span))
		return c.Schedule.MinRate + (c.LearningRate-c.Schedule.MinRate)*(1+math.Cos(math.Pi*done))/2
	case "step":
		drops := (step - warmup) / (c.Schedule.StepEpochs * stepsPerEpoch)
		return c.LearningRate * math.Pow(c.Schedule.Factor, float64(drops))
	default:
		return c.LearningRate
	}
}
