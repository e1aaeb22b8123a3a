package wire

import (
	"time"

	"github.com/google/uuid"
)

// IDInput is embedded in the input of operations on one resource, whose path has {id}.
type IDInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The resource's id."`
}

// Item is the answer that is one resource. A GET of it answers If-None-Match with 304 by itself.
type Item[T any] struct {
	ETag string `header:"ETag" doc:"Names this state of the resource, for If-Match and If-None-Match."`
	Body T
}

// NewItem answers with a resource that was last changed at updatedAt.
func NewItem[T any](body T, updatedAt time.Time) *Item[T] {
	return &Item[T]{ETag: ETag(updatedAt), Body: body}
}

// NewShown is NewItem for a resource that shows what is no change of it, such as when it was last used.
// If-None-Match goes by all that it shows, If-Match by updatedAt alone, which is zero where nothing can be
// changed.
func NewShown[T any](body T, updatedAt time.Time) *Item[T] {
	return &Item[T]{ETag: shownTag(body, updatedAt), Body: body}
}

// Created is the answer of an operation that made a resource; its DefaultStatus is 201.
type Created[T any] struct {
	Location string `header:"Location" doc:"The path of the new resource."`
	ETag     string `header:"ETag" doc:"Names this state of the resource, for If-Match and If-None-Match."`
	Body     T
}

// NewCreated answers with a new resource and its path.
func NewCreated[T any](body T, updatedAt time.Time, path string) *Created[T] {
	return &Created[T]{Location: path, ETag: ETag(updatedAt), Body: body}
}
