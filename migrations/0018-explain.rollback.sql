drop table notify.destination_state;
drop table notify.workers;
