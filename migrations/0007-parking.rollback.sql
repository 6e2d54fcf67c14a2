-- The words that only this schema knows become what they would have been before it.
update notify.attempts set outcome = 'temporary' where outcome in ('unreachable', 'deferred');
alter table notify.attempts drop constraint if exists outcome_is_known;
alter table notify.attempts add constraint outcome_is_known check (outcome in
  ('sent', 'temporary', 'permanent', 'throttled', 'unknown', 'expired', 'lease_expired')) not valid;
alter table notify.slo_deltas replica identity default;
alter table notify.attempts drop column if exists counted;
alter table notify.notifications drop column if exists first_claimed_at;
