// kernels.Order on the device: the row at any place of an epoch, to the bit as
// kernels/order.go and kernels/shuffle.go make it, which say why it is made so.
// All is arithmetic on whole numbers, and every place is found by itself.
#pragma once
#include "common.cuh"

enum { shuffleRounds = 8, shuffleBits = 6 };

// The streams of kernels.Order.
enum : word { streamOrder = 1u << 31, streamPositives };

// Shuffle is kernels.Shuffle, a permutation of 0 … n-1.
struct Shuffle {
	word n;
	int low;          // bits of the right half
	word left, right; // masks of the halves
	word keys[shuffleRounds];
};

// newShuffle is kernels.NewShuffle; n is at least 1.
__device__ __forceinline__ Shuffle newShuffle(int n, wide seed, word stream, wide counter) {
	int width = shuffleBits;
	while ((word)(n - 1) >> width) width++;
	Shuffle s;
	s.n = n, s.low = (width + 1) / 2;
	s.right = (1u << s.low) - 1, s.left = (1u << (width - s.low)) - 1;
	UNROLL for (int block = 0; block < shuffleRounds / 4; block++) {
		stepBlock(s.keys + 4 * block, permutationDraw, seed, counter, stream, block);
	}
	return s;
}

__device__ __forceinline__ word shuffleMix(word h) {
	h *= 0x85EBCA6Bu;
	h ^= h >> 13;
	return h * 0xC2B2AE35u >> 16;
}

// shuffleAt is Shuffle.At: what stands at a place of 0 … n-1.
__device__ __forceinline__ int shuffleAt(const Shuffle &s, int place) {
	word p = place;
	do {
		word l = p >> s.low, r = p & s.right;
		UNROLL for (int k = 0; k < shuffleRounds; k += 2) {
			l ^= shuffleMix(r ^ s.keys[k]) & s.left;
			r ^= shuffleMix(l ^ s.keys[k + 1]) & s.right;
		}
		p = l << s.low | r;
	} while (p >= s.n);
	return p;
}

// Order is kernels.Order. Its batch is at most its places, which makes no
// difference, so that all of it fits.
struct Order {
	const int *rows, *positives; // table rows
	wide seed, epoch;
	int rowCount, positiveCount, dealt, batch;
};

// orderRow is the row at a place; rows is the shuffle of o.rows.
__device__ __forceinline__ int orderRow(const Order &o, const Shuffle &rows, int place) {
	if (o.dealt == 0) return o.rows[shuffleAt(rows, place)];
	// The batch of the places [from, from+n) begins with its share of positives.
	int length = o.rowCount + o.dealt, k = place % o.batch, from = place - k, n = min(o.batch, length - from);
	int before = (int)((wide)o.dealt * from / length), count = (int)((wide)o.dealt * (from + n) / length) - before;
	if (k >= count) return o.rows[shuffleAt(rows, from - before + k - count)];
	int drawn = before + k, deck = drawn / o.positiveCount;
	Shuffle positives = newShuffle(o.positiveCount, o.seed, streamPositives + deck, o.epoch);
	return o.positives[shuffleAt(positives, drawn % o.positiveCount)];
}

// drawRows is Order.Fill by so many threads, of which this is one: dst gets the rows
// at the places from first to first+n.
__device__ __forceinline__ void drawRows(const Order &o, int first, int n, int *dst, int thread, int threads) {
	// Without rows all places are positives', and the shuffle is not asked.
	Shuffle rows = newShuffle(o.rowCount > 0 ? o.rowCount : 1, o.seed, streamOrder, o.epoch);
	for (int i = thread; i < n; i += threads) dst[i] = orderRow(o, rows, first + i);
}
