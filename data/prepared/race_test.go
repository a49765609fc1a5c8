//go:build race

package prepared

// raceDetector says that these tests run several times slower than the program.
const raceDetector = true
