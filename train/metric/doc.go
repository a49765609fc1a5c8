// Package metric turns scores into the figures a careful evaluator asks for.
//
// Every function is pure and takes scores (higher means more suspicious) beside
// the truth of the same rows. One rule makes alerts everywhere: a row alerts at
// threshold t where score >= t. Rows of equal score are therefore never parted,
// and no figure depends on the order of the rows.
//
// A figure that cannot be had is a Value that says so and why; it is never NaN
// and never 0. A score of NaN is a *NaNError that names the row. Infinite
// scores rank as the largest and smallest finite float64. Slices of different
// length are a programmer's mistake and panic.
//
// Accuracy is not among the figures: where 36 of 818,520 rows are attacks,
// a detector that never alerts reaches .99996.
package metric
