-- Nothing to undo.
do $$ begin end $$;
