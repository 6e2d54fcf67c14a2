drop table if exists notify.minutes;
drop table if exists notify.figures;
drop table if exists notify.destination_minutes;
