// Package prepared keeps flow records as a folder of arrays that are
// memory-mapped in no time and that numpy opens as they are:
//
//	manifest.json  schema, labels, source files, ledger, fingerprint
//	features.npy   float32, rows × columns, C order; missing cells are NaN
//	labels.npy     int32, index into the manifest's labels, BENIGN is 0
//	groups.npy     int64, rows that belong together share a number
//	files.npy      int32, index into the manifest's files
//
// A folder is whole or not there: Write builds it beside its place and renames it.
package prepared
