package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/homeroom-sms/homeroom/openapi/clients/go/system"
)

// Every school, page by page.
func Example() {
	ctx := context.Background()
	client, err := system.NewClientWithResponses("http://localhost:8080", system.WithRequestEditorFn(bearer("hr_...")))
	if err != nil {
		log.Fatal(err)
	}
	params := &system.ListSchoolsParams{}
	for {
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
