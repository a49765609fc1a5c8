// Package flowcsv reads CICIDS2017 flow records from CSV: any mix of the 79-,
// 85- and corrected 91-column form, file after file, in memory that does not
// grow with the rows but for one hash a distinct row.
//
// Files are mapped into memory and parsed in pieces side by side; streams are read
// block by block. What comes out is the same for any number of threads.
//
// A cell becomes the float32 nearest to the float64 that strconv.ParseFloat
// gives for its text. Infinity, NaN and blank cells become NaN and are counted
// in the ledger, as is everything that is left out.
package flowcsv
