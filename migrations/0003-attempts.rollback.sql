drop table notify.attempts;
