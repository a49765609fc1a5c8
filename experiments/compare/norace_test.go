//go:build !race

package compare

// raceDetector says that these tests run as fast as the program.
const raceDetector = false
