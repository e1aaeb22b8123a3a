package systemapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestCreateSchoolAtOnce holds that of two hundred who want the same at once one gets it, that the others are
// told so, and that they leave nothing behind.
func TestCreateSchoolAtOnce(t *testing.T) {
	t.Parallel()
	for name, crowd := range map[string]struct {
		body    func(i int) object
		headers []string // of all of them
	}{
		"the same code": {func(i int) object { return object{"name": fmt.Sprint("N", i), "code": "same"} }, nil},
		"the same domain": {func(i int) object {
			return object{"name": "N", "code": fmt.Sprint("c", i), "domains": []string{"Same.example."}}
		}, nil},
		"the same schema": {func(i int) object {
			return object{"name": "N", "code": fmt.Sprint("c", i), "schema_name": "school_same"}
		}, nil},
		"some of it": {func(i int) object {
			return []object{
				{"name": "N", "code": "same", "domains": []string{"same.example"}},
				{"name": "N", "code": fmt.Sprint("d", i), "domains": []string{"SAME.example."}},
				{"name": "N", "code": fmt.Sprint("s", i), "schema_name": "school_same", "domains": []string{"same.example"}},
			}[i%3]
		}, nil},
		"the same key": {func(int) object { return object{"name": "N", "code": "same"} }, []string{"Idempotency-Key: same"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			replies := make([]reply, 200)
			var all errgroup.Group
			for i := range replies {
				all.Go(func() (err error) {
					replies[i], err = p.try("POST", "schools/", crowd.body(i), crowd.headers...)
					return err
				})
			}
			must(t, all.Wait())
			made, shown := 0, map[string]bool{}
			for _, r := range replies {
				switch {
				case r.status == http.StatusCreated:
					shown[r.id()] = true
					if r.header.Get("Idempotency-Replayed") == "" {
						made++
					}
				case r.status != http.StatusConflict || crowd.headers != nil && r.header.Get("Retry-After") == "":
					t.Errorf("%d %s", r.status, r.text)
				}
			}
			if made != 1 || len(shown) != 1 {
				t.Errorf("%d made a school, and %v were shown", made, shown)
			}
			after := "\n" + p.snapshot(t)
			for _, kind := range []string{"clients ", "domains ", "school_setups ", "schema school_", "tables school_"} {
				if n := strings.Count(after, "\n"+kind); n != 1 {
					t.Errorf("%d of %s", n, kind)
				}
			}
			if n := strings.Count(after, "school.create"); n != 1 {
				t.Errorf("the audit tells of %d", n)
			}
		})
	}
}
