// Package ent holds the two graphs: public, the platform's own tables, and tenant, one school's.
package ent

//go:generate go tool ent generate --feature intercept,sql/execquery,sql/lock,sql/upsert --template glob=./template/*.tmpl ./public/schema
//go:generate go tool ent generate --feature intercept,sql/execquery,sql/lock,sql/upsert --template glob=./template/*.tmpl ./tenant/schema
