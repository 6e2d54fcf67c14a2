// npm install pg; DATABASE_URL=postgresql://… node orders.mjs
import pg from "pg";

const db = new pg.Client({ connectionString: process.env.DATABASE_URL });
await db.connect();
await db.query("create table if not exists orders (id bigint primary key, total numeric not null)");

/** An order and its notification: both are there after the commit, or neither is. */
async function place(id, total) {
  await db.query("begin");
  try {
    await db.query(
      "select notify.send('webhook', 'https://example.org/hooks/orders', $1, reference => $2)",
      [{ order: id, total }, `order-${id}`]);
    await db.query("insert into orders (id, total) values ($1, $2)", [id, total]);
    await db.query("commit");
  } catch (error) {
    await db.query("rollback");
    throw error;
  }
}

await place(42, 99.5);
await place(43, null).catch((error) => console.log("order 43 was rolled back:", error.message));

const { rows } = await db.query(
  "select reference, status, code from notify.outcomes where reference = any($1)",
  [["order-42", "order-43"]]);
for (const { reference, status, code } of rows) console.log(reference, status, code ?? "");
await db.end();
