do $$
declare
  v_day regclass;
begin
  for v_day in select t.tgrelid from pg_trigger t where t.tgfoid = to_regproc('notify.stir') loop
    execute format('drop trigger stir on %s', v_day);
  end loop;
end
$$;
drop function if exists notify.stir();
alter table notify.slo_deltas replica identity full;
alter table notify.slo_deltas drop column id;
drop table notify.quiet_days;
