// A tile of a matrix product: 64×64 elements by 256 threads, 4×4 each, both
// operands staged through shared memory 16 terms at a time. Terms are added in
// ascending order, in one rounding each.
#pragma once
#include "common.cuh"

enum { tileSize = 64, tileDepth = 16, tileThreads = 256 };

struct TileMemory {
	float left[tileDepth][tileSize + 4];
	float right[tileDepth][tileSize + 4];
};

// product adds left(i, k)·right(k, j) for k from 0 to depth-1 to sum; i and j are
// rows and columns of the tile. Both are called inside and outside of the
// matrices and must give 0 there.
template <class Left, class Right>
__device__ __forceinline__ void product(float sum[4][4], TileMemory *t, int depth, Left left, Right right) {
	int thread = threadIdx.x, row = thread / 16 * 4, col = thread % 16 * 4;
	for (int k0 = 0; k0 < depth; k0 += tileDepth) {
		UNROLL for (int load = 0; load < tileSize * tileDepth / tileThreads; load++) {
			int e = load * tileThreads + thread;
			t->left[e % tileDepth][e / tileDepth] = left(e / tileDepth, k0 + e % tileDepth);
			t->right[e / tileSize][e % tileSize] = right(k0 + e / tileSize, e % tileSize);
		}
		__syncthreads();
		UNROLL for (int k = 0; k < tileDepth; k++) {
			UNROLL for (int i = 0; i < 4; i++) {
				UNROLL for (int j = 0; j < 4; j++) {
					sum[i][j] = fmaf(t->left[k][row + i], t->right[k][col + j], sum[i][j]);
				}
			}
		}
		__syncthreads();
	}
}
