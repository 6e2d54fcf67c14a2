-- unmet_option(p_options) -> {rule, column, hint}
--
-- Name what is wrong with the options of send().
--
-- Args     p_options jsonb, an object with max_attempts, traceparent and notify_on_end, or null
-- Returns  text[]; null: nothing
-- Caller   send(), validate()
create or replace function notify.unmet_option(p_options jsonb) returns text[]
language sql immutable parallel safe
return case
  when case jsonb_typeof(p_options)
      when 'object' then p_options - '{max_attempts,traceparent,notify_on_end}'::text[] <> '{}'
      else p_options is not null end
    or jsonb_typeof(p_options -> 'traceparent') not in ('string', 'null')
    or jsonb_typeof(p_options -> 'notify_on_end') not in ('boolean', 'null') then
    array['options_are_known', 'options',
      'Give an object with max_attempts, traceparent (text) and notify_on_end (true or false), or leave it out.']
  when jsonb_typeof(nullif(p_options -> 'max_attempts', 'null')) <> 'number'
    or nullif(p_options -> 'max_attempts', 'null')::text !~ '^[0-9]{1,3}$' then
    array['max_attempts_is_1_to_100', 'max_attempts',
      'Use 1 to 100, or leave it out for the service''s default.']
  end;

comment on function notify.unmet_option(jsonb) is 'unmet_option(p_options) -> {rule, column, hint}';
