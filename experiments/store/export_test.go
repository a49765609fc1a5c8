package store

import (
	"context"
	"testing"
	"time"
)

// SetPatience sets how long calls of a store are repeated.
func SetPatience(s Store, patience time.Duration) {
	switch s := s.(type) {
	case *Postgres:
		s.server.patience = patience
	case *Remote:
		s.patience = patience
	}
}

// HoldTransaction holds the study's lock until release, which returns how the
// transaction ended.
func HoldTransaction(t *testing.T, p *Postgres) (release func() error) {
	holds, let, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- p.server.write(context.Background(), wholeStudy, func(tx *transaction) error {
			if tx.again == 0 {
				close(holds)
				<-let
			}
			_, err := tx.exec(`UPDATE study SET name = name`)
			return err
		})
	}()
	<-holds
	return func() error {
		close(let)
		return <-ended
	}
}

// OpenSQLiteThrough opens a file through one of SQLite's virtual file systems.
func OpenSQLiteThrough(path, vfs string) (*SQLite, error) { return openSQLite(path, vfs) }
