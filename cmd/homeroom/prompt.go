package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// typed is a line of the input, or what there is of one.
func typed(c *console) (string, error) {
	return until(c.ctx, func() (string, error) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
}

// hidden asks on the terminal for what must not be seen. The terminal is left as it was, also when the
// program is told to stop meanwhile.
func hidden(c *console, prompt string) (string, error) {
	terminal := int(os.Stdin.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprint(c.stderr, prompt)
	text, err := until(c.ctx, func() (string, error) {
		text, err := term.ReadPassword(terminal)
		return string(text), err
	})
	_, _ = fmt.Fprintln(c.stderr)
	return text, errors.Join(err, term.Restore(terminal, before))
}

// until reads from a person, who may never answer: the reading is left behind when ctx ends.
func until(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
