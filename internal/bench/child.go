package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"
)

// childCommand makes the program one of the processes that are measured, or the one that sends requests.
const childCommand = "child"

// workers is how many work at once in a process, each on a connection of its own.
const workers = 4

// operation is what is measured: one piece of work for the nth student of a school.
type operation func(ctx context.Context, s school, n int) error

// side is what a child can do.
type side struct {
	operations map[string]operation
	serve      func(context.Context, net.Listener) error // answers requests; nil for none
	trips      func() int64
}

// greeting is the first message to a child.
type greeting struct {
	Schools []school
	Key     string // an API key of the platform
	Target  string // the server that requests go to
}

// order tells a child to run an operation for a while. Without an operation it only reports.
type order struct {
	Operation string
	Schools   int
	For       time.Duration
}

// report is a child's answer. Trips and mallocs are counted from its start.
type report struct {
	Address    string
	Operations int64
	Trips      int64
	Mallocs    uint64
	Err        string
}

// child is a process of ours.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	send  *json.Encoder
	reply *json.Decoder
	url   string
}

// startChild starts a child: floor, product, or load, which sends requests to target.
func startChild(ctx context.Context, kind, profile string, db *database, target string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, childCommand, kind, db.url, profile)} //nolint:gosec // it is this very program
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.send, c.reply = json.NewEncoder(c.in), json.NewDecoder(out)
	r, err := c.tell(greeting{db.schools, db.key, target})
	c.url = "http://" + r.Address
	return c, err
}

// do has the child run an order to its end.
func (c *child) do(o order) (report, error) { return c.tell(o) }

func (c *child) tell(message any) (r report, err error) {
	if err := c.send.Encode(message); err != nil {
		return r, err
	}
	if err := c.reply.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", c.cmd, err)
	}
	if r.Err != "" {
		err = errors.New(r.Err)
	}
	return r, err
}

// stop ends the child and waits for it.
func (c *child) stop() error {
	c.in.Close()
	return c.cmd.Wait()
}

// runChild is the child's side: orders come in line by line, reports go out.
func runChild(ctx context.Context, kind, url, profile string) error {
	if profile != "" {
		stop, err := startProfile(filepath.Join(profile, kind))
		if err != nil {
			return err
		}
		defer stop()
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var g greeting
	if err := in.Decode(&g); err != nil {
		return err
	}
	s, err := newSide(ctx, kind, url, g)
	if err != nil {
		return err
	}
	address, err := s.listen(ctx)
	if err == nil {
		err = out.Encode(report{Address: address})
	}
	for err == nil {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		err = out.Encode(s.run(ctx, o, g.Schools))
	}
	return err
}

// listen answers requests, if the side does, until the process ends.
func (s side) listen(ctx context.Context) (address string, err error) {
	if s.serve == nil {
		return "", nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = s.serve(ctx, listener) }()
	return listener.Addr().String(), nil
}

func newSide(ctx context.Context, kind, url string, g greeting) (side, error) {
	switch kind {
	case "floor-driver", "floor-server":
		return newFloor(ctx, url, kind, g.Schools)
	case "product-driver", "product-server":
		return newProduct(ctx, url, kind, g.Schools)
	}
	return newLoad(g)
}

// run carries out an order. Schools come in no order: each worker draws the next one.
func (s side) run(ctx context.Context, o order, schools []school) report {
	counts := make([]int64, workers)
	work, ctx := errgroup.WithContext(ctx)
	end := time.Now().Add(o.For)
	for w := range workers {
		if o.Operation == "" {
			break
		}
		work.Go(func() error {
			do, random := s.operations[o.Operation], rand.New(rand.NewPCG(uint64(w), uint64(end.UnixNano()))) //nolint:gosec // no secret
			for time.Now().Before(end) {
				if err := do(ctx, schools[random.IntN(o.Schools)], random.IntN(students)); err != nil {
					return fmt.Errorf("%s: %w", o.Operation, err)
				}
				counts[w]++
			}
			return nil
		})
	}
	var r report
	if err := work.Wait(); err != nil {
		r.Err = err.Error()
	}
	for _, n := range counts {
		r.Operations += n
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.Mallocs, r.Trips = m.Mallocs, s.trips()
	return r
}

// startProfile writes a CPU profile and, in the end, one of allocations.
func startProfile(path string) (stop func(), err error) {
	cpu, err := os.Create(path + ".cpu.prof") //nolint:gosec // whoever runs this names the folder
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		cpu.Close()
		if allocs, err := os.Create(path + ".allocs.prof"); err == nil { //nolint:gosec // as above
			_ = pprof.Lookup("allocs").WriteTo(allocs, 0)
			allocs.Close()
		}
	}, nil
}
