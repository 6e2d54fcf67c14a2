-- Nothing to undo.
select 1;
