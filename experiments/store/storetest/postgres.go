package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server of a test's own, on this machine alone.
type Postgres struct {
	URL string // of its database, with user and password

	folder string
	port   int
	as     *syscall.SysProcAttr
	server *exec.Cmd
	alive  io.Closer // while it is open, the server runs
}

// password has every character that a URL must not show as it is.
const password = `geheim &?%/@:"'`

// RequirePostgres starts a server that lives until Stop. Where PostgreSQL is not
// installed the test is skipped, or fails if REQUIRE_POSTGRES is set.
func RequirePostgres(t testing.TB) *Postgres {
	t.Helper()
	p, err := StartPostgres()
	var missing *exec.Error
	if errors.As(err, &missing) && os.Getenv("REQUIRE_POSTGRES") == "" {
		t.Skipf("no PostgreSQL server here: %v; Debian's package is postgresql", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// StartPostgres makes a server's files in a temporary folder and starts it. The
// error is an *exec.Error where PostgreSQL is not installed.
func StartPostgres() (*Postgres, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "flowbench-postgres-")
	if err != nil {
		return nil, err
	}
	p := &Postgres{folder: folder, as: &syscall.SysProcAttr{}}
	if err := errors.Join(p.unprivileged(), p.initialize(initdb), p.choosePort(), p.Start()); err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	return p, nil
}

// program finds one of PostgreSQL's, which Debian keeps out of the way.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if known, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(known) > 0 {
		return slices.Max(known), nil
	}
	return "", err
}

// unprivileged hands the folder to the user that PostgreSQL's package made,
// where this one is root, for whom the server refuses to run.
func (p *Postgres) unprivileged() error {
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("root cannot run PostgreSQL: %w", err)
	}
	uid, err := strconv.Atoi(who.Uid)
	gid, gidErr := strconv.Atoi(who.Gid)
	if err := errors.Join(err, gidErr); err != nil {
		return err
	}
	p.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(p.folder, uid, gid)
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

func (p *Postgres) initialize(initdb string) error {
	secret := filepath.Join(p.folder, "password")
	if err := os.WriteFile(secret, []byte(password), 0o644); err != nil { // within a folder of mode 0700
		return err
	}
	cmd := exec.Command(initdb, "--pgdata", p.data(), "--username", "flowbench", "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = p.as, p.folder
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	return nil
}

// choosePort finds a port that is free now.
func (p *Postgres) choosePort() error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.port = free.Addr().(*net.TCPAddr).Port
	p.URL = (&url.URL{
		Scheme: "postgres", User: url.UserPassword("flowbench", password), Host: free.Addr().String(),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}).String()
	return free.Close()
}

// startTime is how long a server may take to answer, on a machine with other work.
const startTime = time.Minute

// Start starts a server that was stopped, and waits until it answers. It is a
// child of a shell that ends it when this process does, however that happens.
func (p *Postgres) Start() error {
	postgres, err := program("postgres")
	if err != nil {
		return err
	}
	p.server = exec.Command("/bin/sh", "-c", `"$0" "$@" & server=$!; cat; kill -INT $server; wait $server`, postgres, "-D", p.data(),
		"-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=60")
	p.server.SysProcAttr, p.server.Dir = p.as, p.folder
	log, err := os.OpenFile(filepath.Join(p.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p.server.Stdout, p.server.Stderr = log, log
	if p.alive, err = p.server.StdinPipe(); err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	return p.wait()
}

func (p *Postgres) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.folder, "log"))
			return errors.Join(err, fmt.Errorf("the server's log: %s", log), p.Stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server as a crash does, without a word to its clients.
func (p *Postgres) Kill() error {
	raw, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	return errors.Join(syscall.Kill(pid, syscall.SIGQUIT), p.end())
}

// end waits for the server's end, for which its signal to the shell is enough.
func (p *Postgres) end() error {
	err := p.alive.Close()
	p.server.Wait() // the shell's exit is the server's, which a crash makes 1 or 2
	return err
}

// Stop ends the server and removes its files.
func (p *Postgres) Stop() error { return errors.Join(p.end(), os.RemoveAll(p.folder)) }
