-- How a daemon tells what became of texts, of numbers and of consent. Every row carries the position of that daemon's
-- journal: what is not newer than the row changes nothing, so a batch can be pushed again.
--
-- docs/supabase-contract.md has every field of what goes in and comes out.

-- States of texts, all of a batch in one statement; of one text the newest counts.
create or replace function dunlin.push_messages(p_daemon uuid, p_rows jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_result jsonb;
begin
  with given as materialized (
    select distinct on (g.id) g.* from jsonb_to_recordset(p_rows) as g (
      id uuid, version bigint, status text, state text, reason text, finished boolean,
      twilio_sid text, twilio_status text, twilio_error_code integer, twilio_error_message text,
      attempt_count integer, sent_at timestamptz, delivered_at timestamptz, next_retry_at timestamptz,
      rescheduled_for timestamptz, born jsonb)
    order by g.id, g.version desc
  ), before as materialized (
    select m.id, m.engine_id, m.engine_version, coalesce(m.attempt_count, 0) as attempt_count, m.engine_state, m.twilio_sid,
      m.twilio_error_message
    from given g join public.sms_messages m on m.id = g.id order by g.id for update of m
  ), updated as (
    update public.sms_messages m set
      status = g.status::public.sms_status, status_reason = g.reason, engine_state = g.state, engine_version = g.version,
      twilio_sid = g.twilio_sid, twilio_status = g.twilio_status, twilio_error_code = g.twilio_error_code,
      twilio_error_message = g.twilio_error_message, attempt_count = g.attempt_count, sent_at = g.sent_at,
      delivered_at = g.delivered_at, next_retry_at = g.next_retry_at,
      scheduled_for = coalesce(g.rescheduled_for, m.scheduled_for), updated_at = now()
    from given g join before b on b.id = g.id
    where m.id = g.id and m.engine_id = p_daemon and coalesce(b.engine_version, -1) < g.version
    returning m.id, m.template_id, m.queue_job_id, m.engine_state, m.status_reason, m.twilio_sid, m.twilio_error_message,
      m.next_retry_at, g.rescheduled_for, g.finished, m.attempt_count, b.attempt_count as attempts_before,
      -- The job of a text that the provider has ended: what comes afterwards changes it only when something went wrong.
      b.engine_version is not null and b.engine_state in ('submitted', 'sent', 'unconfirmed', 'delivered')
        and g.state in ('submitted', 'sent', 'unconfirmed', 'delivered') and g.next_retry_at is null
        and g.rescheduled_for is null and (b.attempt_count, b.twilio_sid, b.twilio_error_message)
          is not distinct from (g.attempt_count, g.twilio_sid, g.twilio_error_message) as job_is_told
  ), inserted as (
    insert into public.sms_messages
      (id, user_id, phone_number, message_content, template_id, template_vars, priority, scheduled_for, metadata, created_at,
       status, status_reason, engine_state, engine_version, engine_id, twilio_sid, twilio_status, twilio_error_code,
       twilio_error_message, attempt_count, sent_at, delivered_at, next_retry_at)
    select g.id, w.user_id, w.phone_number, w.message_content, t.id, w.template_vars,
      coalesce(w.priority, 'normal')::public.sms_priority, coalesce(g.rescheduled_for, w.scheduled_for),
      coalesce(w.metadata, '{}'), w.created_at,
      g.status::public.sms_status, g.reason, g.state, g.version, p_daemon, g.twilio_sid, g.twilio_status, g.twilio_error_code,
      g.twilio_error_message, g.attempt_count, g.sent_at, g.delivered_at, g.next_retry_at
    from given g
    cross join lateral jsonb_to_record(g.born) as w (user_id uuid, phone_number text, message_content text, template_key text,
      template_vars jsonb, priority text, scheduled_for timestamptz, metadata jsonb, created_at timestamptz)
    join auth.users u on u.id = w.user_id
    left join public.sms_templates t on t.template_key = w.template_key
    where g.born is not null and not exists (select from before b where b.id = g.id)
      -- A row that people deleted stays deleted.
      and not exists (select from dunlin.changes c where c.kind = 'message' and c.key = g.id)
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
  )
  select jsonb_build_object(
      'applied', count(*) filter (where a.id is not null),
      'stale', coalesce(jsonb_agg(g.id) filter (where a.id is null and b.engine_id = p_daemon), '[]'),
      'foreign', coalesce(jsonb_agg(g.id) filter (where a.id is null and b.id is not null
        and b.engine_id is distinct from p_daemon), '[]'),
      'missing', coalesce(jsonb_agg(g.id) filter (where a.id is null and b.id is null), '[]'))
    into v_result
  from given g left join before b on b.id = g.id left join applied a on a.id = g.id;
  return v_result;
end
$$;

-- The same, with what the database refuses left out and answered: halves of what fails are tried again, so that one bad row
-- of thousands costs a few statements and not thousands.
create or replace function dunlin.push_good_messages(p_daemon uuid, p_rows jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_half integer := jsonb_array_length(p_rows) / 2;
  v_first jsonb;
  v_second jsonb;
begin
  begin
    return dunlin.push_messages(p_daemon, p_rows) || '{"rejected": []}';
  exception when data_exception or integrity_constraint_violation or raise_exception then
    if v_half = 0 then
      return '{"applied": 0, "stale": [], "foreign": [], "missing": []}' || jsonb_build_object('rejected',
        jsonb_build_array(jsonb_build_object('kind', 'messages', 'id', p_rows -> 0 -> 'id', 'reason', sqlerrm)));
    end if;
  end;
  select jsonb_agg(value order by place) filter (where place <= v_half), jsonb_agg(value order by place) filter (where place > v_half)
    into v_first, v_second from jsonb_array_elements(p_rows) with ordinality as e (value, place);
  v_first := dunlin.push_good_messages(p_daemon, v_first);
  v_second := dunlin.push_good_messages(p_daemon, v_second);
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
  v_answer jsonb;
  v_rejected jsonb;
  v_others jsonb := '[]';
  v_row jsonb;
  v_kind text;
  v_became text;
begin
  perform dunlin.refuse_unless(exists (select from dunlin.daemons where id = p_daemon), 'p_daemon',
    'a daemon that dunlin_heartbeat knows');
  perform set_config('dunlin.origin', p_daemon::text, true);

  v_answer := dunlin.push_good_messages(p_daemon, coalesce(p_batch -> 'messages', '[]'));
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
