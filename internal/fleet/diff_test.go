package fleet_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"
	"golang.org/x/sync/errgroup"

	"github.com/homeroom-sms/homeroom/atlas"
	publicmigrate "github.com/homeroom-sms/homeroom/ent/public/migrate"
	"github.com/homeroom-sms/homeroom/internal/fleet"
	"github.com/homeroom-sms/homeroom/internal/testkit"
)

// table is a graph's table with a key and an edge to each of the others.
func table(name string, edges ...*schema.Table) *schema.Table {
	id := &schema.Column{Name: "id", Type: field.TypeInt64}
	t := &schema.Table{Name: name, Columns: []*schema.Column{id}, PrimaryKey: []*schema.Column{id}, Annotation: &entsql.Annotation{}}
	for _, to := range edges {
		column := &schema.Column{Name: to.Name + "_id", Type: field.TypeInt64, Nullable: true}
		t.Columns = append(t.Columns, column)
		t.ForeignKeys = append(t.ForeignKeys, &schema.ForeignKey{
			Symbol: name + "_" + to.Name, Columns: []*schema.Column{column}, RefColumns: to.PrimaryKey, RefTable: to,
		})
	}
	return t
}

// diff writes what a graph asks for to the folder and returns the text of the file, "" for none.
func diff(t *testing.T, dir string, tables ...*schema.Table) string {
	t.Helper()
	before, err := filepath.Glob(dir + "/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	written, err := fleet.Diff(t.Context(), testkit.EmptyDatabase(t)+"&search_path=public", dir, "change", true, tables)
	if err != nil {
		t.Fatal(err)
	}
	after, err := filepath.Glob(dir + "/*.sql")
	if err != nil || len(after) != len(before)+len(written) || len(written) > 1 {
		t.Fatalf("%v beside %v: %v %v", written, before, after, err)
	}
	if len(written) == 0 {
		return ""
	}
	text, err := os.ReadFile(written[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fleet.Load(os.DirFS(dir)); err != nil {
		t.Errorf("atlas.sum was not brought up to date: %v", err)
	}
	return string(text)
}

func TestDiffDropsWhatTheGraphHasNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := func() *schema.Table { return table("kept") }
	referring := table("referring", table("dropped"))
	diff(t, dir, kept(), table("dropped"), referring)
	if text := diff(t, dir, kept(), table("dropped"), table("referring", table("dropped"))); text != "" {
		t.Errorf("an equal graph asks for %s", text)
	}

	// One that another table refers to: the reference goes first.
	text := diff(t, dir, kept(), table("referring"))
	if column, drop := strings.Index(text, `DROP COLUMN "dropped_id"`), strings.Index(text, `DROP TABLE "dropped"`); column < 0 || drop < column {
		t.Errorf("wrote %s", text)
	}
	if text := diff(t, dir, kept()); !strings.Contains(text, `DROP TABLE "referring"`) || strings.Contains(text, "kept") {
		t.Errorf("wrote %s", text)
	}
	if text := diff(t, dir, kept()); text != "" {
		t.Errorf("the files don't lead to the graph: %s", text)
	}
}

func TestDiffDropsTheReferringTableFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	diff(t, dir, table("kept"), table("a"), table("b", table("a")))
	text := diff(t, dir, table("kept"))
	if b, a := strings.Index(text, `DROP TABLE "b"`), strings.Index(text, `DROP TABLE "a"`); b < 0 || a < b {
		t.Errorf("wrote %s", text)
	}
	if text := diff(t, dir, table("kept")); text != "" {
		t.Errorf("the files don't lead to the graph: %s", text)
	}
}

// The public migrations hold a function and triggers that no graph knows of.
func TestDiffLeavesWhatIsWrittenByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, atlas.Public()); err != nil {
		t.Fatal(err)
	}
	if text := diff(t, dir, publicmigrate.Tables...); text != "" {
		t.Fatalf("an equal graph asks for %s", text)
	}
	tables := slices.Clone(publicmigrate.Tables)
	at := slices.IndexFunc(tables, func(table *schema.Table) bool { return table.Name == "audit_events" })
	text := diff(t, dir, slices.Delete(tables, at, at+1)...)
	if got := strings.Count(text, "\n"); got != 2 || !strings.Contains(text, `DROP TABLE "audit_events";`) {
		t.Errorf("wrote %s", text)
	}
}

// A file that adds what the program reads is marked; one that changes indexes or drops tables is not.
func TestDiffMarksWhatTheProgramRequires(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := table("a")
	marked := func(want bool, did string, tables ...*schema.Table) {
		t.Helper()
		text := diff(t, dir, tables...)
		if text == "" || strings.HasPrefix(text, "-- homeroom:requires\n\n") != want {
			t.Errorf("%s: marked is not %v:\n%s", did, want, text)
		}
		if required := load(t, folder(t, "1", "SELECT 1;", "2", text)).Requires(); (required == "2") != want {
			t.Errorf("%s: %q is required", did, required)
		}
	}
	b := table("b")
	marked(true, "a table", a)
	marked(true, "another", a, b)
	a.Columns = append(a.Columns, &schema.Column{Name: "note", Type: field.TypeString, Nullable: true})
	marked(true, "a column", a, b)
	a.Indexes = append(a.Indexes, &schema.Index{Name: "a_note", Columns: a.Columns[len(a.Columns)-1:]})
	marked(false, "an index", a, b)
	marked(false, "a table less", a)
}

// Two at once in one folder: one writes the file, the other finds it there.
func TestDiffsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group errgroup.Group
	var files atomic.Int32
	for range 4 {
		url := testkit.EmptyDatabase(t) + "&search_path=public"
		group.Go(func() error {
			written, err := fleet.Diff(t.Context(), url, dir, "change", false, []*schema.Table{table("a")})
			files.Add(int32(len(written)))
			return err
		})
	}
	if err := group.Wait(); err != nil || files.Load() != 1 {
		t.Errorf("%d files were written: %v", files.Load(), err)
	}
	if _, err := fleet.Load(os.DirFS(dir)); err != nil {
		t.Error(err)
	}
}
