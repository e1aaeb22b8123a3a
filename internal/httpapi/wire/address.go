package wire

import "context"

type addressKey struct{}

// WithAddress returns ctx with the client's IP address.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Address returns the client's IP address, "" if it is not known.
func Address(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}
