-- Who may do what: row level security on every table, grants by name and by column, and the functions that daemons
-- reach through the Data API.

-- The transport as PostgREST sees it: nothing but ways into the private schema.
create or replace function public.dunlin_pull(
  p_daemon uuid, p_cursor text default null, p_claims integer default 100, p_changes integer default 500,
  p_lease_seconds integer default 60, p_age_limit_seconds integer default 86400
) returns jsonb
language sql security invoker set search_path = '' as $$
  select dunlin.pull(p_daemon, p_cursor, p_claims, p_changes, p_lease_seconds, p_age_limit_seconds)
$$;

create or replace function public.dunlin_acknowledge(p_daemon uuid, p_accepted jsonb) returns jsonb
language sql security invoker set search_path = '' as $$
  select dunlin.acknowledge(p_daemon, p_accepted)
$$;

create or replace function public.dunlin_park(p_daemon uuid, p_rows jsonb) returns jsonb
language sql security invoker set search_path = '' as $$
  select dunlin.park(p_daemon, p_rows)
$$;

create or replace function public.dunlin_push(p_daemon uuid, p_batch jsonb) returns jsonb
language sql security invoker set search_path = '' as $$
  select dunlin.push(p_daemon, p_batch)
$$;

create or replace function public.dunlin_heartbeat(
  p_daemon uuid, p_name text default '', p_version text default '', p_lease_seconds integer default null
) returns jsonb
language sql security invoker set search_path = '' as $$
  select dunlin.heartbeat(p_daemon, p_name, p_version, p_lease_seconds)
$$;

-- Conflicts, and rows that can't be understood, newest first.
create or replace function dunlin.troubles(p_limit integer) returns jsonb
language sql stable security definer set search_path = '' set timezone = 'UTC' as $$
  select jsonb_build_object(
    'conflicts', coalesce((select jsonb_agg(to_jsonb(c)) from (select * from dunlin.conflicts
      order by last_at desc limit least(p_limit, 1000)) c), '[]'),
    'parked', coalesce((select jsonb_agg(to_jsonb(p)) from (select * from dunlin.parked
      where resolved_at is null order by parked_at desc limit least(p_limit, 1000)) p), '[]'))
$$;

create or replace function public.dunlin_troubles(p_limit integer default 100) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select dunlin.troubles(p_limit)
$$;

create or replace function public.dunlin_held(p_daemon uuid, p_after uuid default null, p_limit integer default 1000)
returns jsonb
language sql stable security invoker set search_path = '' as $$
  select dunlin.held(p_daemon, p_after, p_limit)
$$;

create or replace function public.dunlin_give_back(p_daemon uuid, p_ids jsonb) returns jsonb
language sql security invoker set search_path = '' as $$
  select dunlin.give_back(p_daemon, p_ids)
$$;

-- Functions: nobody's until named.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid::regprocedure from pg_catalog.pg_proc p
    where p.pronamespace = 'dunlin'::regnamespace
      or p.pronamespace = 'public'::regnamespace and (p.proname like 'dunlin\_%' or p.proname in ('add_queue_job',
        'queue_sms_message', 'cancel_sms_message', 'record_sms_metric', 'get_sms_daily_metrics', 'get_user_sms_metrics',
        'get_sms_notification_stats'))
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role, dunlin_worker', v_function);
  end loop;
end
$$;

revoke all on schema dunlin from public, anon;
grant usage on schema dunlin to authenticated, service_role, dunlin_worker;
grant usage on schema public to dunlin_worker;

grant execute on function
  dunlin.pull(uuid, text, integer, integer, integer, integer), dunlin.acknowledge(uuid, jsonb), dunlin.park(uuid, jsonb),
  dunlin.push(uuid, jsonb), dunlin.heartbeat(uuid, text, text, integer), dunlin.troubles(integer),
  dunlin.held(uuid, uuid, integer), dunlin.give_back(uuid, jsonb),
  public.dunlin_pull(uuid, text, integer, integer, integer, integer), public.dunlin_acknowledge(uuid, jsonb),
  public.dunlin_park(uuid, jsonb), public.dunlin_push(uuid, jsonb), public.dunlin_heartbeat(uuid, text, text, integer),
  public.dunlin_troubles(integer), public.dunlin_held(uuid, uuid, integer), public.dunlin_give_back(uuid, jsonb)
  to service_role, dunlin_worker;

grant execute on function
  dunlin.uuid_of(text), dunlin.percent(bigint, bigint),
  dunlin.queue_as_service(uuid, text, text, public.sms_priority, timestamptz, jsonb, text),
  public.add_queue_job(uuid, text, jsonb, integer, timestamptz, text),
  public.record_sms_metric(date, integer, uuid, text, numeric, jsonb),
  public.get_sms_daily_metrics(date, date), public.get_user_sms_metrics(uuid, integer),
  public.get_sms_notification_stats(interval)
  to service_role;

grant execute on function
  dunlin.queue_as_self(uuid, text, text, public.sms_priority, timestamptz, jsonb, text), dunlin.cancel_own(uuid)
  to authenticated;
grant execute on function
  public.queue_sms_message(uuid, text, text, public.sms_priority, timestamptz, jsonb, text),
  public.cancel_sms_message(uuid)
  to authenticated, service_role;
grant execute on function dunlin.cancel_own(uuid) to service_role;

-- Tables. Whoever is not signed in sees nothing. queue_jobs is shared: where its owner made policies for people, what they
-- were granted stays granted.
revoke all on public.sms_templates, public.sms_messages, public.user_sms_preferences, public.sms_metrics
  from anon, authenticated;
revoke all on public.queue_jobs from anon;
do $$
begin
  if not exists (select from pg_catalog.pg_policy
      where polrelid = 'public.queue_jobs'::regclass and polname not like 'dunlin\_%') then
    revoke all on public.queue_jobs from authenticated;
  end if;
end
$$;
grant select, insert, update, delete
  on public.sms_templates, public.sms_messages, public.user_sms_preferences, public.queue_jobs, public.sms_metrics
  to service_role;
grant select
  on public.sms_templates, public.sms_messages, public.user_sms_preferences, public.queue_jobs, public.sms_metrics
  to authenticated;
grant insert (template_key, name, description, message_template, template_vars, required_vars, max_length, is_active),
  update (template_key, name, description, message_template, template_vars, required_vars, max_length, is_active), delete
  on public.sms_templates to authenticated;
-- Left out on purpose: whether the number is proven, the limit and what was counted. An opt-out may be set, not undone.
grant insert (user_id, phone_number, task_reminders, daily_brief_sms, event_reminders_enabled,
    event_reminder_lead_time_minutes, morning_kickoff_enabled, morning_kickoff_time, evening_recap_enabled, urgent_alerts,
    quiet_hours_start, quiet_hours_end, timezone, opted_out, opt_out_reason),
  update (phone_number, task_reminders, daily_brief_sms, event_reminders_enabled,
    event_reminder_lead_time_minutes, morning_kickoff_enabled, morning_kickoff_time, evening_recap_enabled, urgent_alerts,
    quiet_hours_start, quiet_hours_end, timezone, opted_out, opt_out_reason)
  on public.user_sms_preferences to authenticated;

-- The ledger: daemons may look, and write through the functions only.
revoke all on all tables in schema dunlin from public, anon, authenticated, service_role, dunlin_worker;
grant select on dunlin.migrations, dunlin.daemons, dunlin.requests, dunlin.changes, dunlin.parked, dunlin.conflicts, dunlin.pushed,
  dunlin.replaced to dunlin_worker, service_role;

-- Policies. Those that are there already stay as they are; ours are made for what none of them decides. An admin is who
-- has that role in app_metadata, which people can't write themselves.
do $$
declare
  v_admin constant text := '(select auth.jwt()) -> ''app_metadata'' ->> ''role'' = ''admin''';
  v_self constant text := '(select auth.uid()) = user_id';
  v_table text;
  v_wanted record;
begin
  foreach v_table in array array['public.sms_templates', 'public.sms_messages', 'public.user_sms_preferences',
    'public.queue_jobs', 'public.sms_metrics', 'dunlin.migrations', 'dunlin.daemons', 'dunlin.requests', 'dunlin.changes', 'dunlin.parked',
    'dunlin.conflicts', 'dunlin.pushed', 'dunlin.replaced']
  loop
    execute format('alter table %s enable row level security', v_table);
    if v_table like 'dunlin.%' and not exists (select from pg_catalog.pg_policy where polrelid = v_table::regclass) then
      execute format('create policy dunlin_worker_looks on %s for select to dunlin_worker using (true)', v_table);
    end if;
  end loop;

  for v_wanted in
    select * from (values
      ('sms_templates', 'select', format('using (is_active or %s)', v_admin)),
      ('sms_templates', 'insert', format('with check (%s)', v_admin)),
      ('sms_templates', 'update', format('using (%s) with check (%1$s)', v_admin)),
      ('sms_templates', 'delete', format('using (%s)', v_admin)),
      ('sms_metrics', 'select', format('using (%s)', v_admin)),
      ('sms_messages', 'select', format('using (%s)', v_self)),
      ('queue_jobs', 'select', format('using (%s)', v_self)),
      ('user_sms_preferences', 'select', format('using (%s)', v_self)),
      ('user_sms_preferences', 'insert', format('with check (%s)', v_self)),
      ('user_sms_preferences', 'update', format('using (%s) with check (%1$s)', v_self))
    ) as w (relation, verb, rule)
    where not exists (select from pg_catalog.pg_policies p
      where p.schemaname = 'public' and p.tablename = w.relation and p.permissive = 'PERMISSIVE'
        and upper(p.cmd) in ('ALL', upper(w.verb)) and p.roles && array['public', 'authenticated']::name[])
  loop
    execute format('create policy %I on public.%I for %s to authenticated ' || v_wanted.rule,
      'dunlin_' || v_wanted.verb, v_wanted.relation, v_wanted.verb);
  end loop;
end
$$;
