package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"
	"github.com/oapi-codegen/runtime/types"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
	"github.com/homeroom-sms/homeroom/openapi/clients/go/tenant"
)

// admin accepts the invitation to a school that was just made, and speaks to its API.
func (s service) admin(t *testing.T, school *system.NewSchool) *tenant.ClientWithResponses {
	t.Helper()
	host := school.Code + ".localhost"
	invite := tenant.InviteInput{Token: *school.AdminInvite, Password: password}
	in, err := s.school(t, host, "").AcceptInviteWithResponse(t.Context(), invite)
	answered(t, http.StatusOK, in, err)
	again, err := s.school(t, host, "").AcceptInviteWithResponse(t.Context(), invite)
	if p := problem(t, again, err); p.Code != tenant.InvalidInput {
		t.Errorf("%+v", p)
	}
	return s.school(t, host, in.JSON200.AccessToken)
}

// admit adds students with the admission numbers from 0.
func admit(t *testing.T, school *tenant.ClientWithResponses, students int) (ids []types.UUID) {
	t.Helper()
	born := types.Date{Time: time.Date(2014, 3, 28, 0, 0, 0, 0, time.UTC)}
	for i := range students {
		student, err := school.CreateStudentWithResponse(t.Context(), nil, tenant.StudentInput{
			AdmissionNumber: strconv.Itoa(i), FirstName: "Ada", LastName: "Lovelace", DateOfBirth: nullable.NewNullableWithValue(born),
		})
		answered(t, http.StatusCreated, student, err)
		if student.JSON201.DateOfBirth.MustGet() != born || !student.JSON201.Email.IsNull() {
			t.Errorf("%+v", student.JSON201)
		}
		ids = append(ids, student.JSON201.Id)
	}
	return ids
}

func records(t *testing.T, s service) {
	school, ctx := s.admin(t, newSchool(t, s.owner(t), "ivy").JSON201), t.Context()
	me, err := school.GetMeWithResponse(ctx, nil)
	answered(t, http.StatusOK, me, err)
	if me.JSON200.Role != tenant.MeRoleAdmin || me.JSON200.Email.MustGet() != "head@ivy.test" {
		t.Errorf("%+v", me.JSON200)
	}
	other, err := s.school(t, "ivy.test", "").GetMeWithResponse(ctx, nil) // its second domain leads to it as well
	if p := problem(t, other, err); p.Code != tenant.Unauthenticated {
		t.Errorf("%+v", p)
	}
	made := admit(t, school, 5)
	var seen []types.UUID
	limit, sort := int64(2), tenant.ListStudentsParamsSortAdmissionNumber
	params := &tenant.ListStudentsParams{Limit: &limit, Sort: &sort}
	for more, pages := true, 0; more; pages++ {
		page, err := school.ListStudentsWithResponse(ctx, params)
		answered(t, http.StatusOK, page, err)
		for _, student := range page.JSON200.Items {
			seen = append(seen, student.Id)
		}
		cursor, err := page.JSON200.NextCursor.Get()
		params.Cursor, more = &cursor, err == nil
		if !more && pages != 2 {
			t.Errorf("the last page is %d", pages)
		}
	}
	if !slices.Equal(seen, made) {
		t.Errorf("made %v, seen %v", made, seen)
	}
	twice, err := school.CreateStudentWithResponse(ctx, nil, tenant.StudentInput{AdmissionNumber: "0", FirstName: "Ada", LastName: "Lovelace"})
	if p := problem(t, twice, err); p.Code != tenant.Conflict {
		t.Errorf("%+v", p)
	}
}

// invite has the first admin, whose invitation was lost, invited again by somebody of the platform.
func invite(t *testing.T, s service) {
	client, ctx := s.owner(t), t.Context()
	made := newSchool(t, client, "asp").JSON201
	acting, err := client.ImpersonateSchoolWithResponse(ctx, made.Id, nil, system.ImpersonationInput{Reason: "the invitation was lost"})
	answered(t, http.StatusOK, acting, err)
	school, search := s.school(t, "asp.localhost", acting.JSON200.AccessToken), "head@asp.test"
	found, err := school.ListUsersWithResponse(ctx, &tenant.ListUsersParams{Search: &search})
	answered(t, http.StatusOK, found, err)
	again, err := school.InviteUserWithResponse(ctx, found.JSON200.Items[0].Id, nil)
	answered(t, http.StatusOK, again, err)
	lost, err := school.AcceptInviteWithResponse(ctx, tenant.InviteInput{Token: *made.AdminInvite, Password: password})
	if p := problem(t, lost, err); p.Code != tenant.InvalidInput {
		t.Errorf("%+v", p)
	}
	made.AdminInvite = &again.JSON200.Invite
	serves(t, s.admin(t, made), "")
}

// serves fails the test unless the school answers, or refuses to with the problem of the code if there is one.
func serves(t *testing.T, school *tenant.ClientWithResponses, code tenant.ProblemCode) {
	t.Helper()
	answer, err := school.GetSchoolWithResponse(t.Context(), nil)
	if code == "" {
		answered(t, http.StatusOK, answer, err)
	} else if p := problem(t, answer, err); p.Code != code {
		t.Errorf("%s, want %s", p.Code, code)
	}
}

func life(t *testing.T, s service) {
	client, ctx := s.owner(t), t.Context()
	made := newSchool(t, client, "ash").JSON201
	school := s.admin(t, made)
	active := func(is bool) {
		t.Helper()
		changed, err := client.UpdateSchoolWithResponse(ctx, made.Id, nil, system.SchoolPatch{IsActive: nullable.NewNullableWithValue(is)})
		answered(t, http.StatusOK, changed, err)
	}
	remove := func() {
		t.Helper()
		removed, err := client.DeleteSchoolWithResponse(ctx, made.Id, nil)
		answered(t, http.StatusNoContent, removed, err)
		serves(t, school, tenant.UnknownHost)
	}
	serves(t, school, "")
	active(false)
	serves(t, school, tenant.SchoolInactive)
	active(true)
	serves(t, school, "")
	remove()
	restored, err := client.RestoreSchoolWithResponse(ctx, made.Id, nil)
	answered(t, http.StatusOK, restored, err)
	serves(t, school, "")
	remove()
	wrong, err := client.PurgeSchoolWithResponse(ctx, made.Id, nil, system.PurgeInput{Confirm: "oak"})
	if p := problem(t, wrong, err); p.Code != system.InvalidInput || p.Errors == nil || (*p.Errors)[0].Location != "body.confirm" {
		t.Errorf("%+v", p)
	}
	purged, err := client.PurgeSchoolWithResponse(ctx, made.Id, nil, system.PurgeInput{Confirm: "ash"})
	answered(t, http.StatusNoContent, purged, err)
	gone, err := client.GetSchoolWithResponse(ctx, made.Id, nil)
	if p := problem(t, gone, err); p.Code != system.NotFound {
		t.Errorf("%+v", p)
	}
}

// purge has a school purged in the background and follows that to its end.
func purge(t *testing.T, s service) {
	client := s.owner(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a stream may last for ever
	defer cancel()
	made := newSchool(t, client, "sloe").JSON201
	removed, err := client.DeleteSchoolWithResponse(ctx, made.Id, nil)
	answered(t, http.StatusNoContent, removed, err)
	async := "respond-async"
	accepted, err := client.PurgeSchoolWithResponse(ctx, made.Id, &system.PurgeSchoolParams{Prefer: &async}, system.PurgeInput{Confirm: "sloe"})
	answered(t, http.StatusAccepted, accepted, err)
	id := accepted.JSON202.Id
	last, event, seen := follow(ctx, t, client, id)
	if last.Id != id || last.State != system.OperationStateSucceeded || last.Progress != 100 || event != "done" {
		t.Errorf("%s: %+v", event, last)
	}
	nothing, err := client.WatchOperationWithResponse(ctx, id, &system.WatchOperationParams{LastEventID: &seen})
	answered(t, http.StatusNoContent, nothing, err)
	gone, err := client.GetSchoolWithResponse(ctx, made.Id, nil)
	if p := problem(t, gone, err); p.Code != system.NotFound {
		t.Errorf("%+v", p)
	}
	missing, err := client.WatchOperationWithResponse(ctx, made.Id, nil)
	if p := problem(t, missing, err); p.Code != system.NotFound {
		t.Errorf("%+v", p)
	}
}

// follow reads the events of an operation until they end: the last of them, its name and its id.
func follow(ctx context.Context, t *testing.T, client *system.ClientWithResponses, operation types.UUID) (last system.Operation, event, id string) {
	t.Helper()
	stream, err := client.WatchOperation(ctx, operation, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			event = value
		case "id":
			id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return last, event, id
}
