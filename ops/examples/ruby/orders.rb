# gem install pg; DATABASE_URL=postgresql://… ruby orders.rb
require "json"
require "pg"

DB = PG.connect(ENV["DATABASE_URL"])
DB.exec("create table if not exists orders (id bigint primary key, total numeric not null)")

# An order and its notification: both are there after the commit, or neither is.
def place(id, total)
  DB.transaction do
    DB.exec_params("select notify.send('webhook', 'https://example.org/hooks/orders', $1, reference => $2)",
      [{ order: id, total: total }.to_json, "order-#{id}"])
    DB.exec_params("insert into orders (id, total) values ($1, $2)", [id, total])
  end
end

place(42, 99.5)
begin
  place(43, nil)
rescue PG::NotNullViolation
  puts "order 43 was rolled back"
end

DB.exec("select reference, status, code from notify.outcomes where reference in ('order-42', 'order-43')")
  .each { |row| puts row.values.compact.join(" ") }
