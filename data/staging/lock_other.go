//go:build !unix

package staging

import "errors"

// Lock knows no locks here: no folder ever counts as left behind.
func Lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
