//go:build !race

package prepared

// raceDetector says that these tests run as fast as the program.
const raceDetector = false
