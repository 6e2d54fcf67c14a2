drop table notify.ledger;
