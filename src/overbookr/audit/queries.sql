-- name: allow_a_long_look
-- An audit reads everything; for this transaction only it may take $1 milliseconds and sort in memory.
select set_config('statement_timeout', $1, true), set_config('work_mem', '64MB', true),
       set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true),
       set_config('enable_seqscan', 'on', true), set_config('jit', 'off', true);

-- name: population
-- How much there is to look at, and the instant of the look by the database clock.
select now() as at,
       (select count(*) from events) as events, (select count(*) from seats) as seats,
       (select count(*) from holds) as holds, (select count(*) from bookings) as bookings,
       (select count(*) from waitlist_entries) as waitlist_entries, (select count(*) from seat_changes) as seat_changes;

-- name: plan_event_repairs
-- What differs at one event, without changing anything.
select kind, repairable, description, parameters from plan_event_repairs_v1($1);

-- name: repair_event
-- Repairs one event under its lock; $2 is a user's share. What was done and what could not be.
select kind, repairable, description, parameters from repair_event_v1($1, $2);

-- name: plan_sales_repair
-- Whether counts of sales differ from a recount, as one step; nothing when none does.
select 'recount_sales' as kind, true as repairable, '{}'::jsonb as parameters,
       format('%s counts of sales are wrong: recounted', count(*)) as description
  from wrong_sales() having count(*) > 0;

-- name: repair_sales
-- The same step, carried out.
select 'recount_sales' as kind, true as repairable, '{}'::jsonb as parameters,
       format('%s counts of sales are wrong: recounted', r) as description
  from recount_sales_v1() r where r > 0;

-- name: record_audit
-- Keeps what an audit has found, among the $7 newest.
select record_audit_v1($1, $2, $3, $4, $5, $6, $7);

-- name: list_audits
-- A page of what audits have found, newest first.
select audit_id, first_at, last_at, times, seconds, population, counts, findings
  from audits order by last_at desc limit $1 offset $2;

-- name: count_audits
-- How many findings are kept.
select count(*) from audits;
