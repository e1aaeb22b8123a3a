package auth

import (
	"context"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Book is where the accounts of one API are kept, with their refresh tokens and the counts of attempts
// to log in: the platform's ([Operators]) or a school's ([Users]).
type Book interface {
	// inTx runs do in one transaction.
	inTx(ctx context.Context, do func(Book) error) error
	// accessToken returns an access token of an account, and when it ends.
	accessToken(tokens *Tokens, a account) (string, time.Time, error)
	// note records what happened to an account, that with the zero id if there is none.
	note(ctx context.Context, event string, id uuid.UUID) error

	// byEmail and lock return errNone if there is no such account. lock keeps it as it is until the
	// transaction ends: whatever changes an account or its refresh tokens comes by here first.
	byEmail(ctx context.Context, email string) (account, error)
	lock(ctx context.Context, id uuid.UUID) (account, error)
	// entered notes a login, and the account's hash from now on.
	entered(ctx context.Context, a account, now time.Time, hash PasswordHash) error

	// refresh returns errNone if there is no such refresh token.
	refresh(ctx context.Context, id uuid.UUID) (refresh, error)
	addRefresh(ctx context.Context, r refresh, hash []byte) error
	useRefresh(ctx context.Context, id uuid.UUID, now time.Time) error
	// revoke ends a family.
	revoke(ctx context.Context, family uuid.UUID, now time.Time) error

	// limit returns the count of a subject, begun anew if there is none, and keeps it until the
	// transaction ends.
	limit(ctx context.Context, subject []byte, anew limit) (limit, error)
	setLimit(ctx context.Context, subject []byte, l limit) error
}

// account is what a login needs to know of an operator or a user.
type account struct {
	id       uuid.UUID
	role     string
	isActive bool
	hash     PasswordHash // "" for none
	updated  time.Time
}

// refresh is a refresh token, without its secret.
type refresh struct {
	id, family, account uuid.UUID
	hash                []byte
	address             string
	expires             time.Time
	used, revoked       bool
}

// limit is how often something was tried, until the count begins anew.
type limit struct {
	attempts int
	ends     time.Time
}

// errNone says that a book has no such entry. It is never shown.
var errNone = fault.New(fault.NotFound, "There is no such entry.")

// Email returns an e-mail address in the form in which accounts are found by it. What is none is
// InvalidInput at location.
func Email(location, text string) (string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || len(text) > 254 {
		return "", fault.Invalid(location, "This is no e-mail address.")
	}
	return text, nil
}

// FullName returns a person's name as it is stored. What is none is InvalidInput at location.
func FullName(location, text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > 200 || strings.ContainsFunc(text, unicode.IsControl) {
		return "", fault.Invalid(location, "A name has 1 to 200 characters, one of them visible, and no control characters.")
	}
	return text, nil
}

type transaction interface {
	Commit() error
	Rollback() error
}

// within commits what do did if it returns nil, else nothing of it stays.
func within(tx transaction, do func() error) error {
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := do(); err != nil {
		return err
	}
	return tx.Commit()
}
