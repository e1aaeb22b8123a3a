package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/embedded"
	"github.com/homeroom-sms/homeroom/internal/httpapi/systemapi"
	"github.com/homeroom-sms/homeroom/internal/httpapi/tenantapi"
)

// apiVersion is the version of the documents: the v1 of their paths. They are committed, so they
// can't name the build.
const apiVersion = "1"

type openapiCommand struct {
	API    string `required:"" enum:"system,tenant" help:"system or tenant." placeholder:"API"`
	Format string `enum:"yaml,json" default:"yaml" help:"yaml or json." placeholder:"FORMAT"`
}

func (o openapiCommand) Run(c *console) error {
	var api huma.API
	if o.API == "system" {
		api = systemapi.New(http.NewServeMux(), systemapi.Service{}, apiVersion)
	} else {
		api = tenantapi.New(http.NewServeMux(), nil, apiVersion)
	}
	document, err := api.OpenAPI().YAML()
	if o.Format == "json" {
		document, err = json.MarshalIndent(api.OpenAPI(), "", "  ")
	}
	if err != nil {
		return err
	}
	_, err = c.stdout.Write(append(document, '\n'))
	return err
}

type versionCommand struct{}

func (versionCommand) Run(c *console) error {
	_, err := fmt.Fprintf(c.stdout, "homeroom %s (commit %s, %s %s/%s), for PostgreSQL %d and newer\n",
		version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, embedded.MinMajor)
	return err
}
