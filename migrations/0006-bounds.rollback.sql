alter table notify.notifications
  drop constraint times_are_within_1970_and_9999,
  drop constraint texts_are_short;
