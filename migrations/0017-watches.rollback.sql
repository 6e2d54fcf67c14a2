-- Tables of others that are watched keep working: with these functions go their triggers.
drop function if exists notify.watched() cascade;
drop function if exists notify.open_watch() cascade;
drop function if exists notify.put_watched(bigint, text, jsonb[], text[]);
drop function if exists notify.note_watch_fault(bigint, text, text);
drop function if exists notify.is_watched(bigint, regclass);
drop function if exists notify.watch_query(regclass, text, text[], text[], text, text);
drop function if exists notify.watch_ticket(bigint);
drop view notify.watches;
drop table notify.watch_secret;
drop table notify.watch_faults;
drop table notify.kept_watches;
