package wire

import (
	"context"
	"net/url"
)

// PageInput is embedded in the input of operations that list.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items to answer with at most."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"Where to go on: next_cursor of the page before."`
}

// Page is a part of a list.
type Page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"The cursor of the next page; null on the last one."`
}

// PageOutput is the answer of operations that list.
type PageOutput[T any] struct {
	Link string `header:"Link" doc:"The next page as rel=\"next\" (RFC 8288), if there is one."`
	Body Page[T]
}

// NewPage answers with items, and with the way to the next page if next, its cursor, is not empty. The
// link keeps the filters of the request that ctx belongs to.
func NewPage[T any](ctx context.Context, items []T, next string) *PageOutput[T] {
	if items == nil {
		items = []T{}
	}
	page := &PageOutput[T]{Body: Page[T]{Items: items}}
	if next == "" {
		return page
	}
	page.Body.NextCursor = &next
	if u, ok := ctx.Value(urlKey{}).(*url.URL); ok {
		query := u.Query()
		query.Set("cursor", next)
		page.Link = "<" + u.EscapedPath() + "?" + query.Encode() + `>; rel="next"`
	}
	return page
}
