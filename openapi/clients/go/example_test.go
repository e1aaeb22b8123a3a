package client_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
)

// An operator logs in and sees every school, page by page.
func Example() {
	const url = "http://localhost:8080"
	ctx := context.Background()
	client, err := system.NewClientWithResponses(url)
	if err != nil {
		log.Fatal(err)
	}
	in, err := client.LoginWithResponse(ctx, system.LoginInput{Email: "ada@example.org", Password: os.Getenv("PASSWORD")})
	if err != nil { // no answer
		log.Fatal(err)
	}
	if problem := in.ApplicationproblemJSONDefault; problem != nil { // an answer that says what is wrong
		log.Fatal(problem.Code, ": ", problem.Detail)
	}
	client, err = system.NewClientWithResponses(url, system.WithRequestEditorFn(bearer(in.JSON200.AccessToken)))
	if err != nil {
		log.Fatal(err)
	}
	for params := (&system.ListSchoolsParams{}); ; {
		page, err := client.ListSchoolsWithResponse(ctx, params)
		if err != nil {
			log.Fatal(err)
		}
		if problem := page.ApplicationproblemJSONDefault; problem != nil {
			log.Fatal(problem.Code, ": ", problem.Detail)
		}
		for _, school := range page.JSON200.Items {
			fmt.Println(school.Code, school.State)
		}
		cursor, err := page.JSON200.NextCursor.Get()
		if err != nil { // null: this was the last one
			break
		}
		params.Cursor = &cursor
	}
}
