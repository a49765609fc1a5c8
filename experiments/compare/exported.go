package compare

// Chance is what a metric comes to without knowledge, as tables show it; empty
// where that depends on more than the rows.
func Chance(configurations []Configuration, name string) string { return chance(configurations, name) }

// Shortest cuts dotted paths to their last words, and to as many more as tell
// them apart.
func Shortest(paths []string) []string { return shortest(paths) }
