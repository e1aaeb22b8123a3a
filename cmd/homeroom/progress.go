package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/homeroom-sms/homeroom/internal/fleet"
)

// rollProgress shows how far a rollout has come: a bar on a terminal, a line every few seconds
// elsewhere.
type rollProgress struct {
	w     io.Writer
	bars  *mpb.Progress
	bar   *mpb.Bar
	start time.Time
	stop  chan struct{}
	ended sync.WaitGroup

	mu                  sync.Mutex
	total, done, failed int
}

// lineTime is the time between two lines.
const lineTime = 5 * time.Second

func newRollProgress(c *console) *rollProgress {
	p := &rollProgress{w: c.stderr, start: time.Now(), stop: make(chan struct{})}
	if isTerminal(c.stderr) {
		p.bars = mpb.New(mpb.WithOutput(c.stderr), mpb.WithWidth(40))
		p.bar = p.bars.AddBar(0, mpb.PrependDecorators(decor.Name("schools ")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.line() })))
		return p
	}
	p.ended.Go(func() {
		ticker := time.NewTicker(lineTime)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_, _ = fmt.Fprintln(p.w, "schools: "+p.line())
			case <-p.stop:
				return
			}
		}
	})
	return p
}

func (p *rollProgress) planned(schools int) {
	p.mu.Lock()
	p.total += schools
	total := p.total
	p.mu.Unlock()
	if p.bar != nil {
		p.bar.SetTotal(int64(total), false)
	}
}

func (p *rollProgress) finished(o fleet.Outcome) {
	p.mu.Lock()
	if o.Failure != nil {
		p.failed++
	}
	if o.Attempts > 0 { // else it was not among those planned
		p.done++
	}
	done := p.done
	p.mu.Unlock()
	if p.bar != nil { // which asks for the line meanwhile
		p.bar.SetCurrent(int64(done))
	}
}

// line is done of total, failures, rate and the time that is left.
func (p *rollProgress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	says := fmt.Sprintf("%d / %d, %d failed", p.done, p.total, p.failed)
	if elapsed := time.Since(p.start); p.done > 0 {
		left := elapsed * time.Duration(p.total-p.done) / time.Duration(p.done)
		says += fmt.Sprintf(", %.1f/s, %s left", float64(p.done)/elapsed.Seconds(), left.Round(time.Second))
	}
	return says
}

// end leaves the bar where it is.
func (p *rollProgress) end() {
	close(p.stop)
	p.ended.Wait()
	if p.bar != nil {
		p.bar.Abort(false)
		p.bars.Wait()
	}
}
