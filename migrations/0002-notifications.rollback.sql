drop table notify.notifications;
