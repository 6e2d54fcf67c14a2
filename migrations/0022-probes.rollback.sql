drop table if exists notify.probes;
