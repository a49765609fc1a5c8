package store

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Codes of a disk without room: SQLITE_FULL, and SQLITE_IOERR_SHMSIZE of the
// write-ahead log's index (https://www.sqlite.org/rescode.html); disk_full of
// PostgreSQL (its manual, appendix A).
const (
	sqliteFull       = 13
	sqliteShmSize    = 4874
	postgresDiskFull = "53100"
)

// Full says whether err is a store's that has no room on its disk. What was
// asked of it was not done, and can be asked again.
func Full(err error) bool {
	var file *sqlite.Error
	var server *pgconn.PgError
	var launcher *fullError
	switch {
	case errors.As(err, &file):
		return file.Code()&0xFF == sqliteFull || file.Code() == sqliteShmSize
	case errors.As(err, &server):
		return server.Code == postgresDiskFull
	}
	return errors.As(err, &launcher)
}
