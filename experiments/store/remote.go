package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Remote is a Store that a launcher serves. A call whose connection is lost is
// made again for half a minute, in which a launcher can be started again.
type Remote struct {
	where    string // its URL, for messages
	base     string // what the names of calls are put to
	token    string
	client   *http.Client
	patience time.Duration
	opened   bool // from then on a launcher that does not answer has been seen to
}

// OpenRemote opens the store that a [Server] serves at a URL, http://host:port.
func OpenRemote(at, token string) (*Remote, error) {
	u, err := parse(at)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("store %s: the URL is http://host:port", Redacted(at))
	}
	root := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	r := &Remote{where: root, base: root + pathPrefix, token: token, patience: patience, client: &http.Client{
		// Neither a proxy nor a redirection is to see the token.
		Transport:     &http.Transport{MaxIdleConnsPerHost: maxConnections, IdleConnTimeout: 3 * callTime, TLSHandshakeTimeout: callTime},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if _, err := r.Study(context.Background()); err != nil {
		return nil, err
	}
	r.opened = true
	return r, nil
}

// Close frees the store's connections.
func (r *Remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// ask makes a call and decodes its answer.
func ask[Out any](ctx context.Context, r *Remote, name string, in any) (Out, error) {
	var out Out
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("store %s: %s: %w", r.where, name, err)
	}
	err = persist(ctx, r.patience, func(ctx context.Context, again int) (error, bool) {
		status, raw, err := r.post(ctx, name, body, again)
		switch {
		case err != nil:
			return fmt.Errorf("store %s: %s: %w (no launcher answers there: look at the URL and whether its sweep still runs)", r.where, name, err), r.opened
		case status != http.StatusOK:
			return unstrict(raw).err(r.where), status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
		}
		var answer Out
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("store %s: %s: its answer is not understood: %w: run the same flowbench on both machines", r.where, name, err), false
		}
		out = answer
		return nil, false
	})
	return out, err
}

// tell makes a call that is answered by its success.
func (r *Remote) tell(ctx context.Context, name string, in any) error {
	_, err := ask[nothing](ctx, r, name, in)
	return err
}

// post sends a call and reads its answer.
func (r *Remote) post(ctx context.Context, name string, body []byte, again int) (status int, raw []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+name, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	request.Header.Set("Content-Type", "application/json")
	if again > 0 {
		request.Header.Set(againHeader, fmt.Sprint(again))
	}
	response, err := r.client.Do(request)
	if err != nil {
		var quoted *url.Error
		if errors.As(err, &quoted) {
			err = quoted.Err
		}
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		raw, err = nil, fmt.Errorf("it answers with more than %d MB", maxAnswer>>20)
	}
	return response.StatusCode, raw, err
}

// Create implements Store.
func (r *Remote) Create(ctx context.Context, name, fingerprint string, trials []PlannedTrial) error {
	checkPlan(trials)
	return r.tell(ctx, "create", wireCreate{name, fingerprint, each(trials, wirePlan)})
}

// Study implements Store.
func (r *Remote) Study(ctx context.Context) (Study, error) {
	return ask[Study](ctx, r, "study", nothing{})
}

// Trials implements Store.
func (r *Remote) Trials(ctx context.Context) ([]Trial, error) {
	all, err := ask[[]wireTrial](ctx, r, "trials", nothing{})
	return each(all, wireTrial.unwire), err
}

// States implements Store.
func (r *Remote) States(ctx context.Context) ([]Trial, error) {
	all, err := ask[[]wireTrial](ctx, r, "states", nothing{})
	return each(all, wireTrial.unwire), err
}

// Attempts implements Store.
func (r *Remote) Attempts(ctx context.Context, trial int) ([]Attempt, error) {
	all, err := ask[[]wireAttempt](ctx, r, "attempts", trial)
	return each(all, wireAttempt.unwire), err
}

// Claim implements Queue.
func (r *Remote) Claim(ctx context.Context, worker string, lease time.Duration, now time.Time) (*Claim, error) {
	return r.claimOnce(ctx, claimRequest{ID: rand.Text(), Worker: worker, Lease: lease, Now: now})
}

func (r *Remote) claimOnce(ctx context.Context, request claimRequest) (*Claim, error) {
	return ask[*Claim](ctx, r, "claim", request)
}

// Heartbeat implements Queue.
func (r *Remote) Heartbeat(ctx context.Context, c *Claim, now time.Time) error {
	return r.tell(ctx, "heartbeat", wireHeartbeat{*c, now})
}

// Finish implements Queue.
func (r *Remote) Finish(ctx context.Context, c *Claim, end End, now time.Time) error {
	end.check()
	return r.tell(ctx, "finish", wireFinish{*c, wireEnd{end, end.Result}, now})
}

// Release implements Queue.
func (r *Remote) Release(ctx context.Context, c *Claim) error { return r.tell(ctx, "release", c) }

// ReleaseWorker implements Recovery.
func (r *Remote) ReleaseWorker(ctx context.Context, worker string) error {
	return r.tell(ctx, "release-worker", worker)
}

// ExpireLeases implements Recovery.
func (r *Remote) ExpireLeases(ctx context.Context, now time.Time) (int, error) {
	return ask[int](ctx, r, "expire-leases", now)
}

// Requeue implements Recovery.
func (r *Remote) Requeue(ctx context.Context, trial int) error { return r.tell(ctx, "requeue", trial) }

// Suggest implements Search.
func (r *Remote) Suggest(ctx context.Context, s Suggestion) error {
	return r.tell(ctx, "suggest", wireSuggested(s))
}

// Suggestions implements Search.
func (r *Remote) Suggestions(ctx context.Context) ([]Suggestion, error) {
	all, err := ask[[]wireSuggestion](ctx, r, "suggestions", nothing{})
	return each(all, wireSuggestion.unwire), err
}

// Report implements Search.
func (r *Remote) Report(ctx context.Context, c *Claim, report Report) error {
	if err := report.check(c); err != nil {
		return fmt.Errorf("store %s: report: %w", r.where, err)
	}
	return r.tell(ctx, "report", wireReport{*c, report})
}

// Reports implements Search.
func (r *Remote) Reports(ctx context.Context) ([]Report, error) {
	return ask[[]Report](ctx, r, "reports", nothing{})
}

// Decide implements Search.
func (r *Remote) Decide(ctx context.Context, d Decision) error {
	return r.tell(ctx, "decide", wireDecided(d))
}

// Decisions implements Search.
func (r *Remote) Decisions(ctx context.Context) ([]Decision, error) {
	all, err := ask[[]wireDecision](ctx, r, "decisions", nothing{})
	return each(all, wireDecision.unwire), err
}

// Extend implements Search.
func (r *Remote) Extend(ctx context.Context, from, to string, trials []PlannedTrial) error {
	return r.tell(ctx, "extend", wireExtend{from, to, each(trials, wirePlan)})
}

// Control implements Supervision.
func (r *Remote) Control(ctx context.Context) (Control, error) {
	return ask[Control](ctx, r, "control", nothing{})
}

// SetControl implements Supervision.
func (r *Remote) SetControl(ctx context.Context, c Control) error {
	return r.tell(ctx, "set-control", c)
}

// SaveWorker implements Supervision.
func (r *Remote) SaveWorker(ctx context.Context, w Worker) error {
	return r.tell(ctx, "save-worker", w)
}

// Workers implements Supervision.
func (r *Remote) Workers(ctx context.Context) ([]Worker, error) {
	return ask[[]Worker](ctx, r, "workers", nothing{})
}

// Clock implements Supervision by the clock of the store that is served.
func (r *Remote) Clock(ctx context.Context) (time.Time, error) {
	return ask[time.Time](ctx, r, "clock", nothing{})
}
