package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what was measured on and with.
type machine struct {
	processor, memory, system string
	cores                     int
	compiler, python          string
	commit, date              string
}

func readMachine(ctx context.Context, s settings) machine {
	m := machine{
		cores: runtime.NumCPU(), system: runtime.GOOS + "/" + runtime.GOARCH, compiler: runtime.Version(),
		processor: fromFile("/proc/cpuinfo", `(?m)^model name\s*: (.+)$`),
		date:      time.Now().UTC().Format(time.DateOnly),
		commit:    first(output(ctx, nil, "git", "rev-parse", "--short=12", "HEAD")),
		python:    strings.TrimPrefix(first(output(ctx, nil, s.python, "--version")), "Python "),
	}
	if kib, err := strconv.ParseFloat(fromFile("/proc/meminfo", `(?m)^MemTotal:\s+(\d+) kB`), 64); err == nil {
		m.memory = fmt.Sprintf("%.0f GiB", kib/(1<<20))
	}
	if changed, err := output(ctx, nil, "git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!"+resultFile, ":!"+growthPlot); err != nil || changed != "" {
		m.commit += " with changes that are not committed"
	}
	return m
}

func fromFile(path, pattern string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	if found := regexp.MustCompile(pattern).FindSubmatch(raw); found != nil {
		return string(found[1])
	}
	return "unknown"
}

func first(text string, err error) string {
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(text)
}
