drop table notify.slo_daily;
drop table notify.slo_deltas;
