//go:build !unix

package export

import "errors"

// lockFolder knows no locks: no folder ever counts as left behind.
func lockFolder(string) (unlock func(), err error) { return func() {}, errors.ErrUnsupported }
