// What makes the launches of a step a sequence of steps: the first kernel fetches
// the step's control from a queue and makes its rows, the last one files its result.
#include "order.cuh"

enum { sequenceThreads = 256 };

// Step is what the queue holds of a step.
struct Step {
	Control control;
	const Order *order; // the batch is its places from first on, else it is at control.rows already
	int first, reserved;
};

struct Queue {
	const Step *steps;
	StepResult *results;
	int next, stopped; // stopped: a step was not finite, the rest is left out
};

struct SequenceArgs {
	Control *control;
	Queue *queue;
	const double *mean;
	int *rows; // room for the rows of a batch
	int threads, reserved; // threads of all blocks of sequence_begin
};

// A thread makes a row. next moves on in sequence_end alone: all blocks see the same step.
KERNEL(sequence_begin, SequenceArgs, sequenceThreads) {
	const Step &step = a.queue->steps[a.queue->next];
	int thread = blockIdx.x * sequenceThreads + threadIdx.x, stopped = a.queue->stopped;
	if (step.order && !stopped) drawRows(*step.order, step.first, step.control.n, a.rows, thread, a.threads);
	if (thread > 0) return;
	*a.control = step.control;
	// A step that must not run looks like one whose first instruction has failed
	// before it began.
	if (stopped) a.control->sick = -1;
}

KERNEL(sequence_end, SequenceArgs, 32) {
	if (threadIdx.x > 0) return;
	int sick = a.control->sick;
	if (sick >= 0) a.queue->results[a.queue->next] = {*a.mean, sick, 1};
	if (sick) a.queue->stopped = 1;
	a.queue->next++;
}
