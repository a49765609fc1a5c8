//go:build !unix

package flowcsv

import "os"

// mapFile maps nothing: files are read as streams here.
func mapFile(*os.File) (mapped []byte, release func() error, ok bool) { return nil, nil, false }

// dropPages has nothing to do.
func dropPages([]byte) {}
