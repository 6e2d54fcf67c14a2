drop index notify.notifications_ended;
