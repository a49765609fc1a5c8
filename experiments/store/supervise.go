package store

import "context"

// Control implements Supervision.
func (t *tables) Control(ctx context.Context) (Control, error) {
	var c Control
	err := t.engine.read(ctx, func(tx *transaction) error {
		var at int64
		_, err := tx.one(`SELECT stopped, kind, reason, at FROM control`, nil, &c.Stopped, &c.Kind, &c.Reason, &at)
		c.At = timeOf(at)
		return err
	})
	return c, t.failed("read", err)
}

// SetControl implements Supervision.
func (t *tables) SetControl(ctx context.Context, c Control) error {
	return t.write(ctx, "control", wholeStudy, func(tx *transaction) error {
		_, err := tx.exec(`INSERT INTO control ("only", stopped, kind, reason, at) VALUES (1, ?1, ?2, ?3, ?4)
			ON CONFLICT ("only") DO UPDATE SET stopped = excluded.stopped, kind = excluded.kind, reason = excluded.reason, at = excluded.at`,
			bit(c.Stopped), c.Kind, plain(c.Reason), millis(c.At))
		return err
	})
}

// SaveWorker implements Supervision.
func (t *tables) SaveWorker(ctx context.Context, w Worker) error {
	return t.write(ctx, "save worker", oneTrial, func(tx *transaction) error {
		_, err := tx.exec(`INSERT INTO worker (name, host, pid, device, gpus, job, started, heard, ended, reason)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
			ON CONFLICT (name) DO UPDATE SET host = excluded.host, pid = excluded.pid, device = excluded.device, gpus = excluded.gpus,
				job = excluded.job, started = excluded.started, heard = excluded.heard, ended = excluded.ended, reason = excluded.reason`,
			w.Name, w.Host, w.PID, w.Device, w.GPUs, w.Job, millis(w.Started), millis(w.Heard), bit(w.Ended), plain(w.Reason))
		return err
	})
}

// Workers implements Supervision.
func (t *tables) Workers(ctx context.Context) ([]Worker, error) {
	return listed(ctx, t, func(scan func(...any) error) (Worker, error) {
		var w Worker
		var started, heard int64
		err := scan(&w.Name, &w.Host, &w.PID, &w.Device, &w.GPUs, &w.Job, &started, &heard, &w.Ended, &w.Reason)
		w.Started, w.Heard = timeOf(started), timeOf(heard)
		return w, err
	}, `SELECT name, host, pid, device, gpus, job, started, heard, ended, reason FROM worker ORDER BY started, name`)
}
