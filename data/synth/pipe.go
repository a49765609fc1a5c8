package synth

import (
	"io"
	"runtime"
)

// writeBlocks writes makeBlock(0) to makeBlock(n-1) in order. Blocks are made in
// parallel; no more than two a processor wait to be written. When w fails it
// returns that error and makes no further blocks.
func writeBlocks(w io.Writer, n int, makeBlock func(int) []byte) error {
	waiting := make(chan chan []byte, runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(waiting)
		for b := range n {
			made := make(chan []byte, 1)
			select {
			case waiting <- made:
				go func() { made <- makeBlock(b) }()
			case <-stop:
				return
			}
		}
	}()
	for made := range waiting {
		if _, err := w.Write(<-made); err != nil {
			return err
		}
	}
	return nil
}
