// A sequence of steps, which the device goes through by itself: a queue holds what is
// to know of each step, and the last block of a step's last kernel files its result
// and begins the next.
#pragma once
#include "order.cuh"

enum { sequenceThreads = 256, nothingFailed = 0x7FFFFFFF };

// Step is what the queue holds of a step.
struct Step {
	Control control;
	const Order *order; // the batch is its places from first on, else it is at control.rows already
	int first, reserved;
};

struct Queue {
	const Step *steps;
	StepResult *results;
	int next, count; // the step in hand, and how many there are
	int stopped;     // a step was not finite, the rest is left out
	int failed;      // the first instruction that fail has noted, or nothingFailed
	int arrived;     // see lastBlock
	int reserved;
};

struct Sequence {
	Control *control;
	Queue *queue;
	const double *mean;
	int *rows;   // room for the rows of a batch
	int drawers; // blocks that draw them
	int reserved;
};

// fail notes that an instruction has written v. Kernels that do the work of several
// use it in the place of check: their blocks all see the same Control.sick.
__device__ __forceinline__ void fail(Queue *q, int instruction, float v) {
	if (!(fabsf(v) <= 3.402823466e38f)) atomicMin(&q->failed, instruction);
}

// settle moves what fail has noted to Control.sick. One thread calls it, after all.
__device__ __forceinline__ void settle(const Sequence &s) {
	if (s.queue->failed == nothingFailed) return;
	s.control->sick = s.queue->failed + 1;
	s.queue->failed = nothingFailed;
}

// drawStep draws the batch of a step where an order gives it: block of the drawers, a
// row a thread.
__device__ __forceinline__ void drawStep(const Sequence &s, int step, int block) {
	if (step >= s.queue->count) return;
	const Step &next = s.queue->steps[step];
	int thread = block * sequenceThreads + threadIdx.x;
	if (next.order) drawRows(*next.order, next.first, next.control.n, s.rows, thread, s.drawers * sequenceThreads);
}

// beginStep hands a step's control to the kernels. One that must not run looks like
// one whose first instruction has failed before it began.
__device__ __forceinline__ void beginStep(const Sequence &s, int step) {
	if (step >= s.queue->count) return;
	*s.control = s.queue->steps[step].control;
	if (s.queue->stopped) s.control->sick = -1;
}

// endStep files the result of the step in hand and begins the next. One thread calls
// it, when nothing is left to do of the step.
__device__ __forceinline__ void endStep(const Sequence &s) {
	settle(s);
	Queue &q = *s.queue;
	int sick = s.control->sick;
	if (sick >= 0) q.results[q.next] = {*s.mean, sick, 1};
	if (sick) q.stopped = 1;
	beginStep(s, ++q.next);
}
