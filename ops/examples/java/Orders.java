// JDBC_URL='jdbc:postgresql://…' java -cp postgresql.jar Orders.java
import java.math.BigDecimal;
import java.sql.*;

class Orders {
  /** An order and its notification: both are there after the commit, or neither is. */
  static void place(Connection db, long id, BigDecimal total) throws SQLException {
    var send = db.prepareStatement("select notify.send('webhook', 'https://example.org/hooks/orders',"
        + " jsonb_build_object('order', ?, 'total', ?), reference => ?)");
    send.setLong(1, id);
    send.setBigDecimal(2, total);
    send.setString(3, "order-" + id);
    var insert = db.prepareStatement("insert into orders (id, total) values (?, ?)");
    insert.setLong(1, id);
    insert.setBigDecimal(2, total);
    try {
      send.executeQuery();
      insert.executeUpdate();
      db.commit();
    } catch (SQLException error) {
      db.rollback();
      throw error;
    }
  }

  public static void main(String[] args) throws SQLException {
    try (var db = DriverManager.getConnection(System.getenv("JDBC_URL"))) {
      db.setAutoCommit(false);
      db.createStatement().execute(
          "create table if not exists orders (id bigint primary key, total numeric not null)");
      place(db, 42, new BigDecimal("99.5"));
      try {
        place(db, 43, null);
      } catch (SQLException error) {
        System.out.println("order 43 was rolled back");
      }
      var rows = db.createStatement().executeQuery("select reference, status from notify.outcomes"
          + " where reference in ('order-42', 'order-43')");
      while (rows.next()) System.out.println(rows.getString(1) + " " + rows.getString(2));
    }
  }
}
