package tenantapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"entgo.io/ent"
	"entgo.io/ent/dialect/sql"
	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	tenantdb "github.com/homeroom-sms/homeroom/ent/tenant"
	"github.com/homeroom-sms/homeroom/internal/fault"
	"github.com/homeroom-sms/homeroom/internal/httpapi/wire"
	"github.com/homeroom-sms/homeroom/internal/keyset"
	"github.com/homeroom-sms/homeroom/internal/school"
	"github.com/homeroom-sms/homeroom/internal/tenancy"
)

// resource is one noun of the API. R is its row and M a change to that, P what narrows a list of rows;
// F is what a list takes, In what POST and PUT take, Out what is shown.
type resource[R any, M ent.Mutation, P ~func(*sql.Selector), F filter[P], In input[M], Out output] struct {
	one, many string // in words; ids of operations and paths have hyphens for spaces
	store     store[R, M, P]
	form      func(*R) In
	show      func(*R) Out
	links     func(context.Context, *tenantdb.Client, uuid.UUID, In) error // writes the rows that belong to a saved one; or nil
	leave     func(context.Context, *tenantdb.Client, uuid.UUID) error     // comes before a deletion; or nil
}

type filter[P any] interface {
	page() keyset.Page
	where() []P
}

type input[M any] interface {
	// put sets or clears every field that the input has.
	put(M)
}

type output interface {
	id() uuid.UUID
	changed() time.Time
}

type createInput[In any] struct{ Body In }

type replaceInput[In any] struct {
	wire.IDInput
	wire.IfMatch
	Body In
}

type updateInput[In any] struct {
	wire.IDInput
	wire.IfMatch
	Body wire.Patch[In]
}

type removeInput struct {
	wire.IDInput
	wire.IfMatch
}

// register adds the noun's six operations to the API.
func (r resource[R, M, P, F, In, Out]) register(api huma.API) {
	a := "a " + r.one
	if strings.ContainsRune("aeiou", rune(r.one[0])) {
		a = "an " + r.one
	}
	all, single := root+hyphened(r.many)+"/", root+hyphened(r.many)+"/{id}/"
	operation := func(method, path, verb, object, summary string, roles []string) huma.Operation {
		return allow(huma.Operation{
			OperationID: verb + "-" + hyphened(object), Method: method, Path: path, Summary: summary,
			Tags: []string{strings.ToUpper(r.many[:1]) + r.many[1:]},
		}, roles)
	}
	huma.Register(api, operation(http.MethodGet, all, "list", r.many, "List "+r.many, readers), inSchool(r.list))
	create := operation(http.MethodPost, all, "create", r.one, "Create "+a, writers)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, inSchool(r.create))
	huma.Register(api, operation(http.MethodGet, single, "get", r.one, "Get "+a, readers), inSchool(r.get))
	huma.Register(api, operation(http.MethodPut, single, "replace", r.one, "Replace "+a, writers), inSchool(r.replace))
	huma.Register(api, operation(http.MethodPatch, single, "update", r.one, "Update "+a, writers), inSchool(r.update))
	huma.Register(api, operation(http.MethodDelete, single, "delete", r.one, "Delete "+a, writers), inSchool(r.remove))
}

func hyphened(words string) string { return strings.ReplaceAll(words, " ", "-") }

func (r resource[R, M, P, F, In, Out]) list(ctx context.Context, db *tenantdb.Client, in *F) (*wire.PageOutput[Out], error) {
	rows, next, err := r.store.list(ctx, db, (*in).page(), (*in).where())
	if err != nil {
		return nil, err
	}
	items := make([]Out, len(rows))
	for i, row := range rows {
		items[i] = r.show(row)
	}
	return wire.NewPage(ctx, items, next), nil
}

func (r resource[R, M, P, F, In, Out]) get(ctx context.Context, db *tenantdb.Client, in *wire.IDInput) (*wire.Item[Out], error) {
	row, err := r.store.find(ctx, db, in.ID)
	if err != nil {
		return nil, r.missing(err)
	}
	out := r.show(row)
	return wire.NewItem(out, out.changed()), nil
}

func (r resource[R, M, P, F, In, Out]) create(ctx context.Context, db *tenantdb.Client, in *createInput[In]) (*wire.Created[Out], error) {
	var out Out
	err := tenancy.InTx(ctx, db, func(tx *tenantdb.Client) (err error) {
		out, err = r.save(ctx, tx, r.store.create(tx), in.Body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return wire.NewCreated(out, out.changed(), root+hyphened(r.many)+"/"+out.id().String()+"/"), nil
}

func (r resource[R, M, P, F, In, Out]) replace(ctx context.Context, db *tenantdb.Client, in *replaceInput[In]) (*wire.Item[Out], error) {
	return r.change(ctx, db, in.ID, in.IfMatch, func(In) (In, error) { return in.Body, nil })
}

func (r resource[R, M, P, F, In, Out]) update(ctx context.Context, db *tenantdb.Client, in *updateInput[In]) (*wire.Item[Out], error) {
	return r.change(ctx, db, in.ID, in.IfMatch, in.Body.Apply)
}

func (r resource[R, M, P, F, In, Out]) remove(ctx context.Context, db *tenantdb.Client, in *removeInput) (*struct{}, error) {
	return nil, r.locked(ctx, db, in.ID, in.IfMatch, func(tx *tenantdb.Client, row *R) error {
		if r.leave != nil {
			if err := r.leave(ctx, tx, in.ID); err != nil {
				return err
			}
		}
		return r.store.remove(ctx, tx, row)
	})
}

// change gives a row the form that edit makes of the one it has at that moment.
func (r resource[R, M, P, F, In, Out]) change(ctx context.Context, db *tenantdb.Client, id uuid.UUID, match wire.IfMatch, edit func(In) (In, error)) (*wire.Item[Out], error) {
	var out Out
	err := r.locked(ctx, db, id, match, func(tx *tenantdb.Client, row *R) error {
		in, err := edit(r.form(row))
		if err != nil {
			return err
		}
		out, err = r.save(ctx, tx, r.store.update(tx, row), in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return wire.NewItem(out, out.changed()), nil
}

// locked runs do in a transaction in which nobody else changes the row, if it is as the client knows it.
func (r resource[R, M, P, F, In, Out]) locked(ctx context.Context, db *tenantdb.Client, id uuid.UUID, match wire.IfMatch, do func(*tenantdb.Client, *R) error) error {
	return tenancy.InTx(ctx, db, func(tx *tenantdb.Client) error {
		row, err := r.store.lock(ctx, tx, id)
		if err != nil {
			return r.missing(err)
		}
		if err := match.Check(r.show(row).changed()); err != nil {
			return err
		}
		return do(tx, row)
	})
}

func (r resource[R, M, P, F, In, Out]) save(ctx context.Context, tx *tenantdb.Client, b builder[R, M], in In) (out Out, err error) {
	in.put(b.Mutation())
	if err := school.Check(ctx, tx, b.Mutation()); err != nil {
		return out, err
	}
	row, err := b.Save(ctx)
	if err != nil {
		return out, err
	}
	out = r.show(row)
	if r.links == nil {
		return out, nil
	}
	if err := r.links(ctx, tx, out.id(), in); err != nil {
		return out, err
	}
	row, err = r.store.find(ctx, tx, out.id())
	if err != nil {
		return out, err
	}
	return r.show(row), nil
}

// missing puts ent's "not found" into words; any other error comes back untouched.
func (r resource[R, M, P, F, In, Out]) missing(err error) error {
	if tenantdb.IsNotFound(err) {
		return fault.New(fault.NotFound, "There is no such %s.", r.one)
	}
	return err
}
