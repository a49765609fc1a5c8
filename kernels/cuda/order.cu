// kernels.Order by itself, for many places at once: what the steps of training do a
// batch at a time (sequence.cuh, fleet.cu) can be checked and timed here.
#include "order.cuh"

enum { orderThreads = 256 };

struct OrderArgs {
	Order order;
	int *rows; // of the places from first to first+n
	int first, n;
	int threads, reserved; // threads of all blocks
};

KERNEL(order_rows, OrderArgs, orderThreads) {
	drawRows(a.order, a.first, a.n, a.rows, blockIdx.x * orderThreads + threadIdx.x, a.threads);
}
