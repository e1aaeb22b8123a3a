package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stat is what /proc/<pid>/stat says of a process (proc(5)).
type stat struct {
	parent int
	reaped time.Duration // the CPU of its children that have ended
}

// tick is the unit of times in /proc, sysconf(_SC_CLK_TCK): 100 a second wherever Linux runs Go.
const tick = 10 * time.Millisecond

func statOf(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name, the second field, may hold spaces and brackets.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("/proc/%d/stat is cut short", pid)
	}
	number := func(field int) int { // counted from 1, as proc(5) does
		n, _ := strconv.Atoi(fields[field-3])
		return n
	}
	return stat{parent: number(4), reaped: time.Duration(number(16)+number(17)) * tick}, nil
}

// cpuOf returns the CPU that the threads of a process have used. It is utime + stime, to the nanosecond
// (schedstat, Documentation/scheduler/sched-stats.rst): a tick is the cost of a hundred operations.
func cpuOf(pid int) (used time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has just ended
		}
		nanoseconds, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(nanoseconds, 10, 64)
		used += time.Duration(n)
	}
	return used
}

// cpuOfServer returns the CPU that all processes of a PostgreSQL have used, also those that have ended.
func cpuOfServer(postmaster int) (time.Duration, error) {
	self, err := statOf(postmaster)
	if err != nil {
		return 0, err
	}
	used := self.reaped + cpuOf(postmaster)
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, path := range processes {
		pid, _ := strconv.Atoi(filepath.Base(path))
		if of, err := statOf(pid); err == nil && of.parent == postmaster {
			used += cpuOf(pid)
		}
	}
	return used, nil
}

// residentOf returns the bytes of a process that are in memory.
func residentOf(pid int) (int64, error) { return sumOf(pid, "status", "VmRSS:") }

// privateOf returns the bytes of a process that it shares with no other.
func privateOf(pid int) (int64, error) { return sumOf(pid, "smaps_rollup", "Private_") }

// sumOf adds up the lines of a file in /proc that begin with a name; they are in kB.
func sumOf(pid int, file, name string) (sum int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	found := false
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(line, name) {
			kB, _ := strconv.ParseInt(fields[1], 10, 64)
			sum += kB << 10
			found = true
		}
	}
	if !found {
		return 0, errors.New("no " + name + " in " + file)
	}
	return sum, nil
}
