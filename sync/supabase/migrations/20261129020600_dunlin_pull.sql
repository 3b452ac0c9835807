-- How a daemon learns what is asked of it: requests that it claims, and changes since a cursor.
--
-- docs/supabase-contract.md has every field of what goes in and comes out.

create or replace function dunlin.refuse_unless(p_fits boolean, p_field text, p_expected text) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if p_fits is not true then
    raise exception '%: expected %', p_field, p_expected using errcode = 'PT422';
  end if;
end
$$;

-- Under which life of the database transactions are numbered: a restored copy counts anew.
create or replace function dunlin.life() returns text
language sql stable set search_path = '' as $$
  select s.system_identifier || '.' || c.timeline_id from pg_control_system() s, pg_control_checkpoint() c
$$;

-- Gives back what a daemon claimed and did not acknowledge in time, and what a daemon acknowledged under a lease that
-- it let lapse. Of the latter, everything that it might have sent by then says so.
create or replace function dunlin.return_lapsed() returns void
language plpgsql set search_path = '' as $$
declare
  v_lapsed record;
begin
  for v_lapsed in
    select r.message_id, r.state, r.daemon_id, m.queue_job_id,
      -- Its clock may be a minute fast; whose is further off takes no lease.
      r.state = 'accepted' and (r.due_at <= d.lease_until + interval '1 minute' or m.attempt_count > 0
        or coalesce(m.engine_state, 'accepted') not in ('accepted', 'held')) as may_have_been_sent
    from dunlin.requests r
    join dunlin.daemons d on d.id = r.daemon_id
    join public.sms_messages m on m.id = r.message_id
    where r.message_id in (
      select message_id from dunlin.requests where state = 'claimed' and claimed_until < clock_timestamp()
      union all
      select q.message_id from dunlin.daemons l join dunlin.requests q on q.daemon_id = l.id
        where l.lease_until < clock_timestamp() and q.state = 'accepted'
    )
    limit 1000 for update of r skip locked
  loop
    update dunlin.requests
      set state = 'waiting', claim = null, claimed_until = null, daemon_id = null,
          suspect = case
            when not v_lapsed.may_have_been_sent then suspect
            when not may_have_been_sent or suspect = v_lapsed.daemon_id then v_lapsed.daemon_id
          end,
          may_have_been_sent = may_have_been_sent or v_lapsed.may_have_been_sent
      where message_id = v_lapsed.message_id;
    update public.queue_jobs set status = 'pending', processing_token = null, updated_at = now()
      where id = v_lapsed.queue_job_id and status = 'processing';
    if v_lapsed.state = 'accepted' then
      perform dunlin.note('message', v_lapsed.message_id, v_lapsed.daemon_id);
    end if;
  end loop;
end
$$;

-- Parks what nobody took while it was worth sending.
create or replace function dunlin.park_overdue(p_age_limit interval, p_daemon uuid) returns void
language plpgsql set search_path = '' as $$
declare
  v_old record;
begin
  for v_old in
    select message_id, due_at from dunlin.requests
    where state = 'waiting' and due_at < now() - p_age_limit
    order by due_at limit 1000 for update skip locked
  loop
    perform dunlin.park_row('sms_messages', v_old.message_id, 'too_old',
      format('it was due at %s and nobody took it; set its status to queued to send it now',
        to_char(v_old.due_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), p_daemon);
  end loop;
end
$$;

-- Claims up to p_limit texts for one daemon. Several daemons get disjoint ones, and none waits for another.
create or replace function dunlin.claim(p_daemon uuid, p_limit integer, p_lease interval) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_claimed jsonb;
begin
  with candidates as materialized (
    select message_id from dunlin.requests
    where state = 'waiting' order by rank, due_at limit p_limit
    for update skip locked
  ), jobs as materialized (
    -- A job that another worker is just claiming is locked; its text is left to that worker.
    select j.id from public.queue_jobs j
    where j.id in (select m.queue_job_id from public.sms_messages m join candidates c on c.message_id = m.id)
      and j.status <> 'processing'
    for update skip locked
  ), claimed as (
    update dunlin.requests r
    set state = 'claimed', daemon_id = p_daemon, claim = gen_random_uuid(), claimed_until = clock_timestamp() + p_lease
    from candidates c join public.sms_messages m on m.id = c.message_id
    where r.message_id = c.message_id and (m.queue_job_id is null or m.queue_job_id in (select id from jobs))
    returning r.*
  ), processing as (
    update public.queue_jobs j
    set status = 'processing', processing_token = c.claim, started_at = now(), updated_at = now()
    from claimed c join public.sms_messages m on m.id = c.message_id
    where j.id = m.queue_job_id and j.status in ('pending', 'retrying', 'failed')
  )
  select jsonb_agg(jsonb_build_object(
      'id', m.id,
      'claim', c.claim,
      'claimed_until', c.claimed_until,
      'may_have_been_sent', c.may_have_been_sent and c.suspect is distinct from p_daemon,
      'user_id', m.user_id,
      'phone_number', m.phone_number,
      'message_content', m.message_content,
      'priority', m.priority,
      'scheduled_for', m.scheduled_for,
      'template_key', t.template_key,
      'template_vars', m.template_vars,
      'metadata', m.metadata,
      'idempotency_key', m.idempotency_key,
      'created_at', m.created_at,
      'cancel_requested_at', m.cancel_requested_at,
      'attempt_count', coalesce(m.attempt_count, 0),
      'twilio_sid', m.twilio_sid,
      'twilio_status', m.twilio_status
    ) order by c.rank, c.due_at) into v_claimed
  from claimed c
  join public.sms_messages m on m.id = c.message_id
  left join public.sms_templates t on t.id = m.template_id;
  return coalesce(v_claimed, '[]');
end
$$;

-- One row that changed, as it is now.
create or replace function dunlin.change_json(p_kind text, p_key uuid, p_daemon uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_row jsonb;
begin
  case p_kind
    when 'preferences' then
      select to_jsonb(p) - 'id' - 'created_at' - 'updated_at'
          || jsonb_build_object('timezone', coalesce(p.timezone, z.zone)) into v_row
        from public.user_sms_preferences p left join dunlin.zones_of(array[p_key]) z on z.user_id = p.user_id
        where p.user_id = p_key;
    when 'template' then
      select to_jsonb(t) - 'created_by' - 'usage_count' - 'last_used_at' into v_row
        from public.sms_templates t where t.id = p_key;
    when 'message' then
      select jsonb_build_object('yours', m.engine_id is not distinct from p_daemon
            and not exists (select from dunlin.requests r where r.message_id = m.id
              and (r.state <> 'accepted' or r.daemon_id is distinct from p_daemon)),
          'phone_number', m.phone_number, 'message_content', m.message_content, 'priority', m.priority,
          'scheduled_for', m.scheduled_for, 'cancel_requested_at', m.cancel_requested_at) into v_row
        from public.sms_messages m where m.id = p_key;
    else
      select to_jsonb(p) - 'id' into v_row from dunlin.parked p where p.id = p_key;
  end case;
  return jsonb_build_object('kind', p_kind, 'key', p_key, 'deleted', v_row is null, 'row', v_row);
end
$$;

-- Changes that were committed after the cursor, whichever order their transactions ended in: a change is new when its
-- transaction is not in the snapshot that the cursor holds, so one that was open for an hour is not passed over.
--
-- A cursor is LIFE SNAPSHOT, and within a page LIFE OLD NEW SEQ: changes between two snapshots, after a position.
create or replace function dunlin.changes_since(p_daemon uuid, p_cursor text, p_limit integer) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_parts text[] := string_to_array(p_cursor, ' ');
  v_now pg_snapshot := pg_current_snapshot();
  v_old pg_snapshot;
  v_new pg_snapshot;
  v_after bigint := 0;
  v_reset boolean := false;
  v_page jsonb;
  v_last bigint;
  v_count integer;
begin
  -- A change of a transaction yet to come was copied from elsewhere: those changes are made anew.
  if exists (select from dunlin.changes where xid >= pg_snapshot_xmax(pg_current_snapshot())
      and xid is distinct from pg_current_xact_id_if_assigned()) then
    update dunlin.changes set xid = pg_current_xact_id();
    perform pg_notify('dunlin', 'preferences');
  end if;

  if v_parts[1] = dunlin.life() then
    begin
      v_old := v_parts[2]::pg_snapshot;
      v_new := coalesce(v_parts[3]::pg_snapshot, v_now);
      v_after := coalesce(v_parts[4]::bigint, 0);
    exception when invalid_text_representation then
      raise exception 'p_cursor: expected what an earlier answer gave' using errcode = 'PT422';
    end;
    v_reset := greatest(pg_snapshot_xmax(v_old), pg_snapshot_xmax(v_new)) > pg_snapshot_xmax(v_now);
  else
    v_reset := true;
  end if;
  if v_reset then
    v_old := '1:1:';
    v_new := v_now;
    v_after := 0;
  end if;

  with page as materialized (
    select c.kind, c.key, c.seq from dunlin.changes c
    where c.xid >= pg_snapshot_xmin(v_old)
      and not pg_visible_in_snapshot(c.xid, v_old)
      and pg_visible_in_snapshot(c.xid, v_new)
      and c.seq > v_after
      and c.origin <> p_daemon
      and (c.audience is null or c.audience = p_daemon)
    order by c.seq limit p_limit
  )
  select jsonb_agg(dunlin.change_json(kind, key, p_daemon) order by seq), max(seq), count(*)
    into v_page, v_last, v_count from page;

  return jsonb_build_object(
    'changes', coalesce(v_page, '[]'),
    'reset', v_reset,
    'more', v_count = p_limit,
    'cursor', dunlin.life() || ' ' || case when v_count = p_limit
      then v_old || ' ' || v_new || ' ' || v_last else v_new::text end);
end
$$;

create or replace function dunlin.pull(
  p_daemon uuid, p_cursor text, p_claims integer, p_changes integer, p_lease_seconds integer, p_age_limit_seconds integer
) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  v_requests jsonb;
  v_changes jsonb;
begin
  perform dunlin.refuse_unless(p_claims between 0 and 1000, 'p_claims', '0 to 1000'),
    dunlin.refuse_unless(p_changes between 1 and 1000, 'p_changes', '1 to 1000'),
    dunlin.refuse_unless(p_lease_seconds between 5 and 3600, 'p_lease_seconds', '5 to 3600'),
    dunlin.refuse_unless(p_age_limit_seconds between 60 and 31536000, 'p_age_limit_seconds', '60 to 31536000'),
    dunlin.refuse_unless(exists (select from dunlin.daemons where id = p_daemon), 'p_daemon',
      'a daemon that dunlin_heartbeat knows');
  perform set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);
  perform dunlin.return_lapsed();
  perform dunlin.park_overdue(make_interval(secs => p_age_limit_seconds), p_daemon);
  v_requests := dunlin.claim(p_daemon, p_claims, make_interval(secs => p_lease_seconds));
  v_changes := dunlin.changes_since(p_daemon, p_cursor, p_changes);
  perform set_config('dunlin.origin', '', true);
  return v_changes || jsonb_build_object(
    'server_time', clock_timestamp(),
    'requests', v_requests,
    'more', (v_changes ->> 'more')::boolean or p_claims > 0 and jsonb_array_length(v_requests) = p_claims);
end
$$;

-- A daemon says that it has texts durably. Only then may it send them; what it gets back as lost it must not send. One
-- that started again has no claims to show, and says of which texts it has not heard.
create or replace function dunlin.acknowledge(p_daemon uuid, p_accepted jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_accepted uuid[];
begin
  perform set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);
  perform from public.sms_messages
    where id in (select id from jsonb_to_recordset(p_accepted) as a (id uuid)) order by id for update;
  with given as (
    select id, claim from jsonb_to_recordset(p_accepted) as a (id uuid, claim uuid)
  ), accepted as (
    update dunlin.requests r set state = 'accepted', claimed_until = null
    from given g
    where r.message_id = g.id and r.daemon_id = p_daemon and coalesce(g.claim, r.claim) = r.claim
      and r.state in ('claimed', 'accepted')
    returning r.message_id
  ), owned as (
    update public.sms_messages m
    set engine_id = p_daemon, engine_version = case when m.engine_id = p_daemon then m.engine_version end
    from accepted a where m.id = a.message_id
    returning m.id, m.queue_job_id
  ), jobs as (
    -- Until it is being sent, the job waits where debug queries look for it.
    update public.queue_jobs j set status = 'pending', processing_token = null, updated_at = now()
    from owned o where j.id = o.queue_job_id and j.status = 'processing'
  )
  select array_agg(id) into v_accepted from owned;
  perform set_config('dunlin.origin', '', true);
  return jsonb_build_object(
    'accepted', to_jsonb(coalesce(v_accepted, '{}')),
    'lost', coalesce((select jsonb_agg(id) from jsonb_to_recordset(p_accepted) as a (id uuid)
      where id <> all (coalesce(v_accepted, '{}'))), '[]'));
end
$$;

-- A daemon says why it can't make anything of claimed texts, of preferences or of a template. They wait, out of
-- everybody's way, until somebody mends the row or sets the text's status to queued.
create or replace function dunlin.park(p_daemon uuid, p_rows jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row record;
  v_parked integer := 0;
begin
  perform from public.sms_messages
    where id in (select id from jsonb_to_recordset(p_rows) as a (id uuid)) order by id for update;
  for v_row in
    select g.* from jsonb_to_recordset(p_rows) as g (id uuid, claim uuid, reason text, detail text)
    join dunlin.requests r on r.message_id = g.id and r.claim = g.claim and r.daemon_id = p_daemon and r.state = 'claimed'
    for update of r
  loop
    perform dunlin.park_row('sms_messages', v_row.id, coalesce(v_row.reason, 'not_understood'), coalesce(v_row.detail, ''), p_daemon);
    v_parked := v_parked + 1;
  end loop;
  for v_row in
    select g.* from jsonb_to_recordset(p_rows) as g (source text, id uuid, reason text, detail text)
    where g.source in ('user_sms_preferences', 'sms_templates') and g.id is not null
  loop
    perform dunlin.park_row(v_row.source, v_row.id, coalesce(v_row.reason, 'not_understood'), coalesce(v_row.detail, ''), p_daemon);
    v_parked := v_parked + 1;
  end loop;
  return jsonb_build_object('parked', v_parked);
end
$$;

-- Forgets what nobody asks for any more: rows that were mended a month ago, and changes of texts and parkings that every
-- daemon heard of long ago. Preferences and templates have one change each, which is kept.
create or replace function dunlin.prune() returns void
language sql set search_path = '' as $$
  delete from dunlin.parked where resolved_at < now() - interval '30 days';
  delete from dunlin.changes where kind in ('message', 'parked') and at < now() - interval '90 days';
$$;

-- A daemon says that it is there. p_lease_seconds: for how long; null when what it acknowledges is its own for good, 0 when
-- others may have it.
create or replace function dunlin.heartbeat(p_daemon uuid, p_name text, p_version text, p_lease_seconds integer) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  v_old timestamptz;
  v_now timestamptz := clock_timestamp();
  v_until timestamptz := v_now + make_interval(secs => p_lease_seconds);
begin
  perform dunlin.refuse_unless(p_daemon is not null and p_daemon <> '00000000-0000-0000-0000-000000000000',
      'p_daemon', 'the daemon''s id'),
    dunlin.refuse_unless(p_lease_seconds is null or p_lease_seconds = 0 or p_lease_seconds between 5 and 3600,
      'p_lease_seconds', '5 to 3600, 0, or null');
  -- Now and then is often enough, and no beat waits for it.
  if random() < 0.002 then
    perform dunlin.prune();
  end if;
  select lease_until into v_old from dunlin.daemons where id = p_daemon for update;
  insert into dunlin.daemons as d (id, name, version, seen_at, lease_until)
  values (p_daemon, left(coalesce(p_name, ''), 100), left(coalesce(p_version, ''), 100), v_now, v_until)
  on conflict (id) do update
    set name = excluded.name, version = excluded.version, seen_at = excluded.seen_at, lease_until = excluded.lease_until;
  return jsonb_build_object(
    'server_time', v_now,
    'contract', 1,
    'lease_until', v_until,
    'lapsed', coalesce(v_old < v_now, false),
    'waiting', (select count(*) from dunlin.requests where state = 'waiting'),
    'parked', (select count(*) from dunlin.parked where resolved_at is null),
    'conflicts', (select count(*) from dunlin.conflicts),
    'daemons', (select jsonb_agg(jsonb_build_object('id', id, 'name', name, 'version', version, 'seen_at', seen_at,
      'lease_until', lease_until) order by seen_at desc) from dunlin.daemons));
end
$$;
