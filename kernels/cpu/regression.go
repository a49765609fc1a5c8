package cpu

import "flowbench/kernels"

// regression is a slice of a loss that is a mean over the columns: MSE or Huber.
func (l *loss) regression(s *step, sl *slice) {
	dpred, pred, target := l.dpred.rows(sl), l.pred.rows(sl), l.target.rows(sl)
	rows := l.rows[sl.first : sl.first+sl.n]
	scale := 1 / (float64(l.pred.cols) * float64(len(s.rows)))
	ok := false
	if l.Kind == kernels.MSE {
		ok = s.level.mse(dpred, pred, target, l.featureWeight, rows, float32(2*scale))
	} else {
		ok = s.level.huber(dpred, pred, target, l.featureWeight, rows, float32(scale), l.Delta)
	}
	if !ok {
		s.health.fail()
	}
}

// mse is the mean over the columns of weight·(pred-target)² for as many rows as
// rows has, its gradient, which is factor·weight·(pred-target), and whether all
// of that is finite. Differences are rounded to float32, sums run in float64.
func (l level) mse(dpred, pred, target, weight []float32, rows []float64, factor float32) bool {
	switch l {
	case avx512:
		return mseAVX512(&dpred[0], &pred[0], &target[0], &weight[0], &rows[0], factor, len(rows), len(weight)) == 0
	case avx2:
		return mseAVX2(&dpred[0], &pred[0], &target[0], &weight[0], &rows[0], factor, len(rows), len(weight)) == 0
	}
	plainMSE(dpred, pred, target, weight, rows, factor)
	return finite(dpred)
}

func plainMSE(dpred, pred, target, weight []float32, rows []float64, factor float32) {
	cols := len(weight)
	for i := range rows {
		var sums partialSums
		p, t, g := pred[i*cols:][:cols], target[i*cols:][:cols], dpred[i*cols:][:cols]
		for j, w := range weight {
			d := p[j] - t[j]
			weighted := d * w
			sums[j%16] += float64(float64(weighted) * float64(d))
			g[j] = weighted * factor
		}
		rows[i] = sums.fold() / float64(cols)
	}
}

// huber is mse with weight·s·(|d|-s/2), s = min(|d|, delta), for the square of d =
// pred-target: d²/2 within delta and linear beyond (Huber 1964).
func (l level) huber(dpred, pred, target, weight []float32, rows []float64, factor, delta float32) bool {
	switch l {
	case avx512:
		return huberAVX512(&dpred[0], &pred[0], &target[0], &weight[0], &rows[0], factor, delta, len(rows), len(weight)) == 0
	case avx2:
		return huberAVX2(&dpred[0], &pred[0], &target[0], &weight[0], &rows[0], factor, delta, len(rows), len(weight)) == 0
	}
	plainHuber(dpred, pred, target, weight, rows, factor, delta)
	return finite(dpred)
}

func plainHuber(dpred, pred, target, weight []float32, rows []float64, factor, delta float32) {
	cols := len(weight)
	for i := range rows {
		var sums partialSums
		p, t, g := pred[i*cols:][:cols], target[i*cols:][:cols], dpred[i*cols:][:cols]
		for j, w := range weight {
			d := p[j] - t[j]
			a := max(d, -d)
			slope := min(a, delta)
			weighted := slope * w
			sums[j%16] += float64((float64(a) - float64(slope*0.5)) * float64(weighted))
			if d < 0 {
				weighted = -weighted
			}
			g[j] = weighted * factor
		}
		rows[i] = sums.fold() / float64(cols)
	}
}
