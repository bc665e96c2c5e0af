package warehouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"textmill/ground/plain"
)

// copyHead is the statement that takes rows.
func copyHead(name string, columns []column) (string, error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		quoted, err := identifier(c.Name)
		if err != nil {
			return "", err
		}
		names[i] = quoted
	}
	return "COPY " + name + " (" + strings.Join(names, ", ") + ") FROM STDIN", nil
}

// print writes a recipe to out. Rows that a recipe copies stand in it, as psql takes them.
func (r *Recipe) print(ctx context.Context, out io.Writer, c *rowCopier) error {
	columns := r.columns(c.t)
	return r.write(out, c.t, func(name string, gone bool) (string, error) {
		form, of := &copyText{}, columns
		if gone {
			of = columns[:1]
		}
		head, err := copyHead(name, of)
		if err == nil {
			_, err = io.WriteString(out, head+";\n")
		}
		if err == nil {
			err = c.write(ctx, out, form, columns, gone)
		}
		return "\\.\n", err
	}, func() (string, error) { return "", nil })
}

// runPostgres has the server at a URL do what the recipe says, the rows in COPY's binary form, and writes the answer
// of the last query to out.
func (r *Recipe) runPostgres(ctx context.Context, url string, out io.Writer, c *rowCopier) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	columns, begun := r.columns(c.t), time.Now()
	var said bytes.Buffer // statements that were not sent yet
	send := func(answer io.Writer) error {
		defer said.Reset()
		return statements(ctx, conn.PgConn(), said.String(), answer)
	}
	err = r.write(&said, c.t, func(name string, gone bool) (string, error) {
		if err := send(io.Discard); err != nil {
			return "", err
		}
		of := columns
		if gone {
			of = columns[:1]
		}
		head, err := copyHead(name, of)
		if err != nil {
			return "", err
		}
		return "", copyInto(ctx, conn.PgConn(), head+" WITH (FORMAT binary)", func(to io.Writer) error {
			return c.write(ctx, to, &copyBinary{}, columns, gone)
		})
	}, func() (string, error) {
		err := send(io.Discard)
		c.took = time.Since(begun)
		return "", err
	})
	if err == nil {
		err = send(out)
	}
	if err != nil {
		return fmt.Errorf("load into PostgreSQL: %w", explained(err))
	}
	return nil
}

// copyInto runs a COPY with what rows writes.
func copyInto(ctx context.Context, conn *pgconn.PgConn, head string, rows func(io.Writer) error) error {
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := rows(to)
		_ = to.CloseWithError(err) // it always returns nil
		written <- err
	}()
	_, err := conn.CopyFrom(ctx, from, head)
	_ = from.CloseWithError(errors.New("the server ended the copy")) // likewise
	if mine := <-written; mine != nil && err != nil {
		return fmt.Errorf("%w (%w)", mine, err)
	}
	return err
}

// statements runs some, and writes the rows of the last that has any.
func statements(ctx context.Context, conn *pgconn.PgConn, sql string, answer io.Writer) error {
	if strings.TrimSpace(sql) == "" {
		return nil
	}
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return err
	}
	for i := len(results) - 1; i >= 0; i-- {
		if len(results[i].FieldDescriptions) == 0 {
			continue
		}
		for _, row := range results[i].Rows {
			if err := plain.Row(answer, texts(row)...); err != nil {
				return err
			}
		}
		break
	}
	return nil
}

func texts(row [][]byte) []any {
	all := make([]any, len(row))
	for i, field := range row {
		all[i] = string(field)
		if len(field) > 60 {
			all[i] = strings.ToValidUTF8(string(field[:60]), "") + "…"
		}
	}
	return all
}

// explained adds to a server's error what would help.
func explained(err error) error {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case "0A000", "58P01": // feature not supported, file not found
		if strings.Contains(said.Message, `"vector"`) {
			return fmt.Errorf("%w; install pgvector into this server", err)
		}
	case "22000", "42703", "42804", "42P07": // other dimensions, no such column, other type
		return fmt.Errorf("%w; the table there is of another kind: drop it, or load under another --name", err)
	}
	return err
}

// lastLoad is the version of a table that was loaded under a name, -1 where none was, or another table, or with
// other rows.
func lastLoad(ctx context.Context, url, name, id string, withErrors bool) (int64, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return -1, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int64
	err = conn.QueryRow(ctx, "SELECT version FROM textmill_loads WHERE name = $1 AND table_id = $2 AND errors = $3", name, id,
		withErrors).Scan(&version)
	var said *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &said) && said.Code == "42P01": // no such table
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("ask what was loaded last: %w", err)
	}
	return version, nil
}
