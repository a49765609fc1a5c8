package synth

// SpreadsheetReal is a measured value in the style of most files.
func SpreadsheetReal(v float64) string { return string(spreadsheet.appendReal(nil, v)) }
