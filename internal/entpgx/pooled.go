package entpgx

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Pooled reports whether a pooler stands between conn and the server, in which case the next
// transaction may meet another server process, which knows none of our statements. A pooler hands out a
// cancel key of its own making, whose process is not the one that answers.
func Pooled(ctx context.Context, conn *pgx.Conn) (bool, error) {
	answer, err := conn.PgConn().Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return false, fmt.Errorf("entpgx: asking who answers: %w", err)
	}
	return string(answer[0].Rows[0][0]) != strconv.FormatUint(uint64(conn.PgConn().PID()), 10), nil
}
