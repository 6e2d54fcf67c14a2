drop table notify.probes;
