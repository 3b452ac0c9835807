-- How a daemon tells what became of texts, of numbers and of consent. Every row carries the position of that daemon's
-- journal: what is not newer than the row changes nothing, so a batch can be pushed again.
--
-- docs/supabase-contract.md has every field of what goes in and comes out.

-- States of texts, all of a batch in one statement; of one text the newest counts. They come as columns, an array for each
-- field, which are read in half the time of as many objects.
create or replace function dunlin.push_messages(p_daemon uuid, p_columns jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_result jsonb;
begin
  -- These are joined to tables by their keys, and none to another: whatever is expected of their sizes, nothing is looked for
  -- by walking through all of them.
  with told as materialized (
    select g.*, m.id is not null as is_known, m.engine_id as engine_before, m.engine_version as version_before,
      coalesce(m.attempt_count, 0) as attempts_before, m.engine_state as state_before, m.twilio_sid as sid_before,
      m.twilio_error_message as error_before
    from (
      select distinct on (r.id) r.*
      from jsonb_to_record(p_columns) as c (
        id uuid[], version bigint[], status text[], state text[], reason text[], finished boolean[], twilio_sid text[],
        twilio_status text[], twilio_error_code integer[], twilio_error_message text[], attempt_count integer[],
        sent_at timestamptz[], delivered_at timestamptz[], next_retry_at timestamptz[], rescheduled_for timestamptz[],
        user_id uuid[], phone_number text[], message_content text[], template_key text[], template_vars jsonb[],
        priority text[], scheduled_for timestamptz[], metadata jsonb[], created_at timestamptz[])
      cross join lateral unnest(
        c.id, c.version, c.status, c.state, c.reason, c.finished, c.twilio_sid, c.twilio_status, c.twilio_error_code,
        c.twilio_error_message, c.attempt_count, c.sent_at, c.delivered_at, c.next_retry_at, c.rescheduled_for, c.user_id,
        c.phone_number, c.message_content, c.template_key, c.template_vars, c.priority, c.scheduled_for, c.metadata,
        c.created_at) as r (
        id, version, status, state, reason, finished, twilio_sid, twilio_status, twilio_error_code, twilio_error_message,
        attempt_count, sent_at, delivered_at, next_retry_at, rescheduled_for, user_id, phone_number, message_content,
        template_key, template_vars, priority, scheduled_for, metadata, created_at)
      order by r.id, r.version desc) g
    left join public.sms_messages m on m.id = g.id
  ), updated as (
    update public.sms_messages m set
      status = g.status::public.sms_status, status_reason = g.reason, engine_state = g.state, engine_version = g.version,
      twilio_sid = g.twilio_sid, twilio_status = g.twilio_status, twilio_error_code = g.twilio_error_code,
      twilio_error_message = g.twilio_error_message, attempt_count = g.attempt_count, sent_at = g.sent_at,
      delivered_at = g.delivered_at, next_retry_at = g.next_retry_at,
      scheduled_for = coalesce(g.rescheduled_for, m.scheduled_for), updated_at = now()
    from told g
    -- Not by equality of engines: that would be taken for a way to find rows, of which there may be as many as there are texts.
    where m.id = g.id and g.engine_before = p_daemon and m.engine_id is not distinct from g.engine_before
      and coalesce(m.engine_version, -1) < g.version
    returning m.id, m.template_id, m.queue_job_id, m.engine_state, m.status_reason, m.twilio_sid, m.twilio_error_message,
      m.next_retry_at, g.rescheduled_for, g.finished, m.attempt_count, g.attempts_before,
      -- The job of a text that the provider has ended: what comes afterwards changes it only when something went wrong.
      g.version_before is not null and g.state_before in ('submitted', 'sent', 'unconfirmed', 'delivered')
        and g.state in ('submitted', 'sent', 'unconfirmed', 'delivered') and g.next_retry_at is null
        and g.rescheduled_for is null and (g.attempts_before, g.sid_before, g.error_before)
          is not distinct from (g.attempt_count, g.twilio_sid, g.twilio_error_message) as job_is_told
  ), inserted as (
    insert into public.sms_messages
      (id, user_id, phone_number, message_content, template_id, template_vars, priority, scheduled_for, metadata, created_at,
       status, status_reason, engine_state, engine_version, engine_id, twilio_sid, twilio_status, twilio_error_code,
       twilio_error_message, attempt_count, sent_at, delivered_at, next_retry_at)
    select g.id, g.user_id, g.phone_number, g.message_content, t.id, g.template_vars,
      coalesce(g.priority, 'normal')::public.sms_priority, coalesce(g.rescheduled_for, g.scheduled_for),
      coalesce(g.metadata, '{}'), g.created_at,
      g.status::public.sms_status, g.reason, g.state, g.version, p_daemon, g.twilio_sid, g.twilio_status, g.twilio_error_code,
      g.twilio_error_message, g.attempt_count, g.sent_at, g.delivered_at, g.next_retry_at
    from told g
    -- Of the others no user is told.
    join auth.users u on u.id = g.user_id
    left join public.sms_templates t on t.template_key = g.template_key
    where not g.is_known
      -- A row that people deleted stays deleted. Each is looked for by its key.
      and not exists (select from dunlin.changes c where c.kind = 'message' and c.key = g.id offset 0)
    on conflict (id) do nothing
    returning id, template_id, attempt_count, 0 as attempts_before
  ), applied as (
    select id, template_id, attempt_count, attempts_before from updated
    union all select id, template_id, attempt_count, attempts_before from inserted
  ), used as (
    update public.sms_templates t set usage_count = coalesce(t.usage_count, 0) + n.times, last_used_at = now()
    from (select template_id, count(*) as times from applied
      where template_id is not null and attempts_before = 0 and attempt_count > 0 group by template_id) n
    where t.id = n.template_id
  ), jobs as (
    update public.queue_jobs j set
      status = k.status, attempts = a.attempt_count,
      error_message = case when k.status in ('failed', 'cancelled') or a.twilio_error_message is not null
        then coalesce(a.twilio_error_message, a.status_reason) end,
      scheduled_for = coalesce(a.next_retry_at, a.rescheduled_for, j.scheduled_for),
      started_at = case when a.attempt_count > 0 then coalesce(j.started_at, now()) end,
      processed_at = case when k.status = 'completed' then coalesce(j.processed_at, now()) end,
      completed_at = case when k.status in ('completed', 'failed', 'cancelled') then coalesce(j.completed_at, now()) end,
      result = case when a.twilio_sid is not null then jsonb_build_object('twilio_sid', a.twilio_sid) end,
      processing_token = case when k.status = 'processing' then p_daemon end,
      updated_at = now()
    from updated a
    cross join lateral (select case
        when a.engine_state in ('accepted', 'held', 'due') then 'pending'
        when a.engine_state in ('submitting', 'unknown') then 'processing'
        when a.engine_state in ('undelivered', 'failed') then 'failed'
        when a.engine_state in ('canceled', 'expired', 'suppressed') then 'cancelled'
        else 'completed' end::public.queue_status as status) k
    where a.job_is_told is not true and j.id = a.queue_job_id and j.job_type = 'send_sms'
      -- A job that ended does not begin again: another with its dedup key may be active.
      and (j.status not in ('completed', 'failed', 'cancelled') or k.status in ('completed', 'failed', 'cancelled'))
  ), finished as (
    delete from dunlin.requests r using updated a where r.message_id = a.id and a.finished
  ), moved as (
    update dunlin.requests r set due_at = least(r.due_at, a.rescheduled_for)
    from updated a where r.message_id = a.id and a.rescheduled_for < r.due_at and not a.finished
  ), refused as (
    -- What changed nothing, mostly none.
    select e.id, bool_or(e.is_known) as is_known, bool_or(e.is_ours) as is_ours
    from (select id, is_known, engine_before is not distinct from p_daemon as is_ours, false as is_applied from told
      union all select id, false, false, true from applied) e
    where (select count(*) from applied) <> (select count(*) from told)
    group by e.id having not bool_or(e.is_applied)
  )
  select jsonb_build_object(
      'applied', (select count(*) from applied),
      'stale', coalesce(jsonb_agg(id) filter (where is_ours), '[]'),
      'foreign', coalesce(jsonb_agg(id) filter (where is_known and not is_ours), '[]'),
      'missing', coalesce(jsonb_agg(id) filter (where not is_known), '[]'))
    into v_result
  from refused;
  return v_result;
end
$$;

-- Rows number p_first + 1 to p_last of columns.
create or replace function dunlin.rows_of(p_columns jsonb, p_first integer, p_last integer) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_object_agg(c.key, (select jsonb_agg(e.value order by e.place)
    from jsonb_array_elements(c.value) with ordinality e (value, place) where e.place > p_first and e.place <= p_last))
  from jsonb_each(p_columns) c
$$;

-- The same, with what the database refuses left out and answered: halves of what fails are tried again, so that one bad row
-- of thousands costs a few statements and not thousands.
create or replace function dunlin.push_good_messages(p_daemon uuid, p_columns jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_rows integer := jsonb_array_length(p_columns -> 'id');
  v_half integer := v_rows / 2;
  v_first jsonb;
  v_second jsonb;
begin
  begin
    return dunlin.push_messages(p_daemon, p_columns) || '{"rejected": []}';
  exception when data_exception or integrity_constraint_violation or raise_exception then
    if v_half = 0 then
      return '{"applied": 0, "stale": [], "foreign": [], "missing": []}' || jsonb_build_object('rejected',
        jsonb_build_array(jsonb_build_object('kind', 'messages', 'id', p_columns -> 'id' -> 0, 'reason', sqlerrm)));
    end if;
  end;
  v_first := dunlin.push_good_messages(p_daemon, dunlin.rows_of(p_columns, 0, v_half));
  v_second := dunlin.push_good_messages(p_daemon, dunlin.rows_of(p_columns, v_half, v_rows));
  return jsonb_build_object(
    'applied', (v_first ->> 'applied')::integer + (v_second ->> 'applied')::integer,
    'stale', (v_first -> 'stale') || (v_second -> 'stale'),
    'foreign', (v_first -> 'foreign') || (v_second -> 'foreign'),
    'missing', (v_first -> 'missing') || (v_second -> 'missing'),
    'rejected', (v_first -> 'rejected') || (v_second -> 'rejected'));
end
$$;

-- Whether this is the newest that this daemon said of this thing; remembers it if so.
create or replace function dunlin.is_news(p_kind text, p_key uuid, p_daemon uuid, p_version bigint) returns boolean
language plpgsql set search_path = '' as $$
begin
  insert into dunlin.pushed as p (kind, key, daemon_id, version) values (p_kind, p_key, p_daemon, p_version)
  on conflict (kind, key, daemon_id) do update set version = excluded.version where p.version < excluded.version;
  return found;
end
$$;

-- What people said about being texted. An opt-out always counts; an opt-in only when it is newer than the opt-out.
create or replace function dunlin.push_consent(p_daemon uuid, p_row jsonb) returns text
language plpgsql set search_path = '' as $$
declare
  v_number text := p_row ->> 'phone_number';
  v_user uuid := (p_row ->> 'user_id')::uuid;
  v_at timestamptz := (p_row ->> 'at')::timestamptz;
begin
  if not dunlin.is_news('consent', md5(v_number)::uuid, p_daemon, (p_row ->> 'version')::bigint) then
    return 'stale';
  end if;
  if (p_row ->> 'opted_out')::boolean then
    update public.user_sms_preferences
      set opted_out = true, opted_out_at = v_at, opt_out_reason = p_row ->> 'reason', updated_at = now()
      where (phone_number = v_number or user_id = v_user) and not coalesce(opted_out, false);
  else
    update public.user_sms_preferences
      set opted_out = false, opted_out_at = null, opt_out_reason = null, updated_at = now()
      where (phone_number = v_number or user_id = v_user) and opted_out and coalesce(opted_out_at, '-infinity') < v_at;
  end if;
  return 'applied';
end
$$;

-- Which number a user has proven, or that it is proven no more.
create or replace function dunlin.push_verification(p_daemon uuid, p_row jsonb) returns text
language plpgsql set search_path = '' as $$
declare
  v_user uuid := (p_row ->> 'user_id')::uuid;
begin
  if not exists (select from auth.users where id = v_user) then
    return 'missing';
  end if;
  if not dunlin.is_news('verification', v_user, p_daemon, (p_row ->> 'version')::bigint) then
    return 'stale';
  end if;
  if (p_row ->> 'phone_verified')::boolean then
    insert into public.user_sms_preferences as p (user_id, phone_number, phone_verified, phone_verified_at)
    values (v_user, p_row ->> 'phone_number', true, (p_row ->> 'phone_verified_at')::timestamptz)
    on conflict (user_id) do update set phone_number = excluded.phone_number, phone_verified = true,
      phone_verified_at = excluded.phone_verified_at, updated_at = now();
  else
    -- Which number is theirs is people's to say.
    update public.user_sms_preferences set phone_verified = false, phone_verified_at = null, updated_at = now()
      where user_id = v_user and phone_verified;
  end if;
  return 'applied';
end
$$;

-- How many texts a user got on their day, and when that day ends.
create or replace function dunlin.push_usage(p_daemon uuid, p_row jsonb) returns text
language plpgsql set search_path = '' as $$
declare
  v_user uuid := (p_row ->> 'user_id')::uuid;
begin
  if not dunlin.is_news('usage', v_user, p_daemon, (p_row ->> 'version')::bigint) then
    return 'stale';
  end if;
  update public.user_sms_preferences
    set daily_sms_count = (p_row ->> 'daily_sms_count')::integer,
        daily_count_reset_at = (p_row ->> 'daily_count_reset_at')::timestamptz
    where user_id = v_user;
  return case when found then 'applied' else 'missing' end;
end
$$;

-- A whole batch. A row that the database refuses is answered with the reason and keeps nothing else back.
create or replace function dunlin.push(p_daemon uuid, p_batch jsonb) returns jsonb
language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  v_messages jsonb := coalesce(p_batch -> 'messages', '{"id": []}');
  v_answer jsonb;
  v_rejected jsonb;
  v_others jsonb := '[]';
  v_row jsonb;
  v_kind text;
  v_became text;
begin
  perform dunlin.refuse_unless(exists (select from dunlin.daemons where id = p_daemon), 'p_daemon',
    'a daemon that dunlin_heartbeat knows');
  perform dunlin.refuse_unless(jsonb_typeof(v_messages -> 'id') = 'array', 'messages.id', 'an array');
  -- A shorter column would be filled up with nulls.
  perform dunlin.refuse_unless(case when jsonb_typeof(c.value) = 'array'
      then jsonb_array_length(c.value) = jsonb_array_length(v_messages -> 'id') end,
    'messages.' || c.key, 'an array as long as messages.id') from jsonb_each(v_messages) c;
  -- One push of a daemon at a time: the older of two, of which the client gave one up, can't come between reading rows and
  -- writing them. Who else writes to these rows leaves the engine's columns alone.
  perform pg_advisory_xact_lock(hashtextextended('dunlin.push ' || p_daemon, 0));
  perform set_config('dunlin.origin', p_daemon::text, true);

  v_answer := dunlin.push_good_messages(p_daemon, v_messages);
  v_rejected := v_answer -> 'rejected';

  foreach v_kind in array array['consents', 'verifications', 'usage'] loop
    for v_row in select value from jsonb_array_elements(coalesce(p_batch -> v_kind, '[]')) loop
      begin
        v_became := case v_kind
          when 'consents' then dunlin.push_consent(p_daemon, v_row)
          when 'verifications' then dunlin.push_verification(p_daemon, v_row)
          else dunlin.push_usage(p_daemon, v_row) end;
        v_others := v_others || to_jsonb(v_became);
      exception when data_exception or integrity_constraint_violation or raise_exception then
        v_rejected := v_rejected || jsonb_build_object('kind', v_kind, 'id', v_row -> 'user_id', 'reason', sqlerrm);
      end;
    end loop;
  end loop;

  perform set_config('dunlin.origin', '', true);
  return v_answer || jsonb_build_object('rejected', v_rejected,
    'others_applied', (select count(*) from jsonb_array_elements_text(v_others) o (word) where word = 'applied'));
end
$$;
