<?php
// PDO_DSN='pgsql:host=…;dbname=…;user=…;password=…' php orders.php
$db = new PDO(getenv("PDO_DSN"));
$db->exec("create table if not exists orders (id bigint primary key, total numeric not null)");

/** An order and its notification: both are there after the commit, or neither is. */
function place(PDO $db, int $id, ?float $total): void {
    $db->beginTransaction();
    try {
        $db->prepare("select notify.send('webhook', 'https://example.org/hooks/orders', ?, reference => ?)")
            ->execute([json_encode(["order" => $id, "total" => $total]), "order-$id"]);
        $db->prepare("insert into orders (id, total) values (?, ?)")->execute([$id, $total]);
        $db->commit();
    } catch (PDOException $error) {
        $db->rollBack();
        throw $error;
    }
}

place($db, 42, 99.5);
try {
    place($db, 43, null);
} catch (PDOException) {
    echo "order 43 was rolled back\n";
}

$outcomes = "select reference, status, code from notify.outcomes where reference in ('order-42', 'order-43')";
foreach ($db->query($outcomes, PDO::FETCH_NUM) as $row) {
    echo implode(" ", array_filter($row)), "\n";
}
