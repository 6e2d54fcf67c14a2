// go get github.com/jackc/pgx/v5; DATABASE_URL=postgresql://… go run orders.go
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
)

// place makes an order and its notification: both are there after the commit, or neither is.
func place(ctx context.Context, db *pgx.Conn, id int, total *float64) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // does nothing after a commit
	_, err = tx.Exec(ctx, "select notify.send('webhook', 'https://example.org/hooks/orders', $1, reference => $2)",
		map[string]any{"order": id, "total": total}, fmt.Sprint("order-", id))
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, "insert into orders (id, total) values ($1, $2)", id, total); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func main() {
	ctx, total := context.Background(), 99.5
	db, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err == nil {
		_, err = db.Exec(ctx, "create table if not exists orders (id bigint primary key, total numeric not null)")
	}
	if err == nil {
		err = place(ctx, db, 42, &total)
	}
	if err != nil {
		log.Fatal(err)
	}
	if place(ctx, db, 43, nil) != nil {
		fmt.Println("order 43 was rolled back")
	}
	var status string
	query := "select status from notify.outcomes where reference = $1"
	if err = db.QueryRow(ctx, query, "order-42").Scan(&status); err != nil {
		log.Fatal(err)
	}
	fmt.Println("order-42", status)
}
