alter table notify.settings drop column if exists forget_from;
