drop table notify.emptied_days;
