drop trigger wake on notify.notifications;
drop trigger accept on notify.notifications;
