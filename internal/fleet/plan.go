package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Plan is what schools that are at the same revision would get.
type Plan struct {
	From    string   `json:"from"`
	Schools int      `json:"schools"`
	Schema  string   `json:"schema"` // of one of them, which the SQL is for
	Pending []string `json:"pending"`
	SQL     string   `json:"sql"`
}

// Script returns the SQL that Apply would send to a schema in this state.
func (d *Directory) Script(schema string, s State) string {
	var b strings.Builder
	version := s.Version
	for _, pending := range s.Pending {
		f, from := d.file(pending), origin{bare: version == "", digests: d.leadsTo(version)}
		b.WriteString("-- " + f.name + "\n")
		if f.concurrent {
			b.WriteString(f.printed(schema, f.opening(schema, from)))
			for i := range f.statements {
				steps, _ := f.steps(schema, i)
				b.WriteString(join(steps))
			}
			b.WriteString(join([]line{f.closing(schema, 0)}))
		} else {
			b.WriteString(f.printed(schema, f.script(schema, from)))
		}
		version = d.standsFor(pending)
	}
	return b.String()
}

// Plan says what Run would send, and touches nothing. Finished hears of the schools that would get
// nothing because something is wrong with them.
func (r Rollout) Plan(ctx context.Context) (plans []Plan, summary Summary, err error) {
	run := newRun(r)
	defer run.close()
	if run.latest, err = run.targets(ctx, true); err != nil {
		return nil, summary, err
	}
	recorder := run.record(true)
	jobs := run.survey(ctx, run.latest, recorder)
	err = errors.Join(recorder.close(), ctx.Err())
	for _, j := range jobs {
		at := slices.IndexFunc(plans, func(p Plan) bool { return p.From == j.state.Version && slices.Equal(p.Pending, j.state.Pending) })
		if at < 0 {
			plans = append(plans, Plan{j.state.Version, 1, j.Schema, j.state.Pending, r.Directory.Script(j.Schema, j.state)})
		} else {
			plans[at].Schools++
		}
	}
	slices.SortFunc(plans, func(a, b Plan) int { return strings.Compare(a.From, b.From) })
	return plans, run.summary(), err
}
