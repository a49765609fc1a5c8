package scale

// finiteMedian is the median of the finite cells: the middle one, or the mean
// of the two in the middle, and 0 where there is none. Cost: a copy and O(n).
func finiteMedian(cells []float32) float64 {
	kept := make([]float32, 0, len(cells))
	for _, x := range cells {
		if finite(x) {
			kept = append(kept, x)
		}
	}
	n := len(kept)
	if n == 0 {
		return 0
	}
	upper := selectNth(kept, n/2)
	if n%2 == 1 {
		return float64(upper)
	}
	lower := kept[0]
	for _, x := range kept[1 : n/2] { // selectNth has left the smaller ones here
		lower = max(lower, x)
	}
	return (float64(lower) + float64(upper)) / 2
}

// selectNth returns the value that would stand at index k if v were sorted, and
// leaves v so that nothing before k is larger and nothing after it smaller. It
// is Hoare's selection with the median of three as pivot, and splits runs of
// equal values in the middle: columns of zeros are common and cost O(n) too.
func selectNth(v []float32, k int) float32 {
	lo, hi := 0, len(v)-1
	for lo < hi {
		pivot := middle(v[lo], v[lo+(hi-lo)/2], v[hi])
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

func middle(a, b, c float32) float32 {
	return max(min(a, b), min(max(a, b), c))
}
