package store

import (
	"fmt"
	"strings"
)

// versions are the steps from one version of the tables to the next: the first
// makes those of version 1 where there are none. A step that was published does
// not change any more, since there are stores that it has made. In each, a
// later step included, types are SQLite's, which PostgreSQL has by other names.
//
// An attempt's token is the fencing token.
var versions = []string{`
CREATE TABLE study (
	"only"      INTEGER PRIMARY KEY CHECK ("only" = 1),
	name        TEXT NOT NULL,
	fingerprint TEXT NOT NULL
) STRICT;
CREATE TABLE trial (
	idx           INTEGER PRIMARY KEY,
	configuration INTEGER NOT NULL,
	replicate     INTEGER NOT NULL,
	seed          INTEGER NOT NULL,
	params        TEXT,
	state         TEXT NOT NULL DEFAULT 'planned'
		CHECK (state IN ('planned', 'running', 'stale', 'done', 'pruned', 'diverged', 'failed')),
	reason        TEXT NOT NULL DEFAULT '',
	worker        TEXT NOT NULL DEFAULT '',
	token         INTEGER NOT NULL DEFAULT 0,
	lease_until   INTEGER NOT NULL DEFAULT 0, -- milliseconds since 1970
	attempts      INTEGER NOT NULL DEFAULT 0,
	failures      INTEGER NOT NULL DEFAULT 0,
	losses        INTEGER NOT NULL DEFAULT 0,
	result        TEXT
) STRICT;
CREATE INDEX trial_by_state ON trial (state, idx);
CREATE TABLE attempt (
	token   INTEGER PRIMARY KEY,
	idx     INTEGER NOT NULL REFERENCES trial (idx),
	attempt INTEGER NOT NULL,
	worker  TEXT NOT NULL,
	state   TEXT NOT NULL
		CHECK (state IN ('running', 'stale', 'done', 'pruned', 'diverged', 'failed', 'superseded')),
	reason  TEXT NOT NULL DEFAULT '',
	started INTEGER NOT NULL, -- milliseconds since 1970
	heard   INTEGER NOT NULL,
	result  TEXT
) STRICT;
CREATE INDEX attempt_by_trial ON attempt (idx, token);
`, `
ALTER TABLE trial ADD COLUMN waits INTEGER NOT NULL DEFAULT 0 CHECK (waits IN (0, 1));
ALTER TABLE trial ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
DROP INDEX trial_by_state;
CREATE INDEX trial_open ON trial (idx) WHERE state IN ('planned', 'stale') AND waits = 0;
CREATE INDEX trial_lease ON trial (lease_until) WHERE state = 'running';
CREATE INDEX trial_by_configuration ON trial (configuration, idx);
DROP INDEX attempt_by_trial;
ALTER TABLE attempt RENAME TO attempt_1;
CREATE TABLE attempt (
	token   INTEGER PRIMARY KEY,
	idx     INTEGER NOT NULL REFERENCES trial (idx),
	attempt INTEGER NOT NULL,
	worker  TEXT NOT NULL,
	state   TEXT NOT NULL
		CHECK (state IN ('running', 'stale', 'done', 'pruned', 'diverged', 'failed', 'superseded', 'paused')),
	reason  TEXT NOT NULL DEFAULT '',
	started INTEGER NOT NULL,
	heard   INTEGER NOT NULL,
	result  TEXT,
	request TEXT NOT NULL DEFAULT '' -- by which a claim whose answer was lost is found again
) STRICT;
INSERT INTO attempt (token, idx, attempt, worker, state, reason, started, heard, result)
	SELECT token, idx, attempt, worker, state, reason, started, heard, result FROM attempt_1;
DROP TABLE attempt_1;
CREATE INDEX attempt_by_trial ON attempt (idx, token);
CREATE TABLE suggestion (
	configuration INTEGER PRIMARY KEY,
	params        TEXT NOT NULL,
	saw           TEXT,
	at            INTEGER NOT NULL
) STRICT;
CREATE TABLE report (
	trial  INTEGER NOT NULL REFERENCES trial (idx),
	rung   INTEGER NOT NULL,
	epoch  INTEGER NOT NULL,
	value  REAL,
	worker TEXT NOT NULL,
	at     INTEGER NOT NULL,
	PRIMARY KEY (trial, rung)
) STRICT;
CREATE TABLE decision (
	configuration INTEGER NOT NULL,
	rung          INTEGER NOT NULL,
	goes_on       INTEGER NOT NULL CHECK (goes_on IN (0, 1)),
	reason        TEXT NOT NULL,
	against       TEXT,
	at            INTEGER NOT NULL,
	PRIMARY KEY (configuration, rung)
) STRICT;
CREATE TABLE control (
	"only"  INTEGER PRIMARY KEY CHECK ("only" = 1),
	stopped INTEGER NOT NULL CHECK (stopped IN (0, 1)),
	kind    TEXT NOT NULL,
	reason  TEXT NOT NULL,
	at      INTEGER NOT NULL
) STRICT;
CREATE TABLE worker (
	name    TEXT PRIMARY KEY,
	host    TEXT NOT NULL,
	pid     INTEGER NOT NULL,
	device  TEXT NOT NULL,
	gpus    INTEGER NOT NULL,
	job     TEXT NOT NULL,
	started INTEGER NOT NULL,
	heard   INTEGER NOT NULL,
	ended   INTEGER NOT NULL CHECK (ended IN (0, 1)),
	reason  TEXT NOT NULL
) STRICT;
`}

// migrate takes the tables from a version, 0 where there are none, to the
// newest, inside the caller's transaction: all steps, or none. run runs one step.
func migrate(from int, run func(step string) error) error {
	if from > len(versions) {
		return fmt.Errorf("was written in version %d of its tables, this flowbench reads versions up to %d: use the flowbench that wrote it, or another output folder", from, len(versions))
	}
	for _, step := range versions[from:] {
		if err := run(step); err != nil {
			return err
		}
	}
	return nil
}

// postgresTypes puts a step into PostgreSQL's words.
var postgresTypes = strings.NewReplacer("INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION", ") STRICT;", ");")
