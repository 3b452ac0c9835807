-- Noticing what people do: new texts become requests, edits and cancellations become changes, and columns that the
-- engine owns keep the engine's values.
--
-- The functions below write with the setting dunlin.origin: a daemon's id, or the nil UUID for Dunlin's own
-- bookkeeping. Everybody else has none. That is how an echo is told from a wish.
--
-- Locks are taken in one order everywhere: sms_messages, dunlin.requests, queue_jobs.

create or replace function dunlin.origin() returns uuid
language sql stable set search_path = '' as $$
  select nullif(current_setting('dunlin.origin', true), '')::uuid
$$;

-- Which requests are claimed first.
create or replace function dunlin.rank(p_priority public.sms_priority) returns smallint
language sql immutable set search_path = '' as $$
  select case p_priority::text when 'urgent' then 1 when 'high' then 2 when 'normal' then 3 else 4 end::smallint
$$;

-- The text as a UUID; null when it is none.
create or replace function dunlin.uuid_of(p_text text) returns uuid
language sql immutable set search_path = '' as $$
  select case when p_text ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end
$$;

-- Puts a row on the list of what daemons must hear of, and wakes them.
create or replace function dunlin.note(p_kind text, p_key uuid, p_audience uuid default null) returns void
language plpgsql set search_path = '' as $$
begin
  insert into dunlin.changes as c (kind, key, origin, audience)
  values (p_kind, p_key, coalesce(dunlin.origin(), '00000000-0000-0000-0000-000000000000'), p_audience)
  on conflict (kind, key, origin) do update
    set audience = excluded.audience, xid = excluded.xid, seq = excluded.seq, at = excluded.at;
  perform pg_notify('dunlin', p_kind);
end
$$;

-- Keeps a row that can't be understood out of everybody's way, with the reason where people look for it.
create or replace function dunlin.park_row(
  p_source text, p_row uuid, p_reason text, p_detail text, p_daemon uuid default null) returns void
language plpgsql set search_path = '' as $$
declare
  v_origin text := current_setting('dunlin.origin', true);
  v_why text := left(p_reason || ': ' || p_detail, 1000);
  v_job uuid := case when p_source = 'queue_jobs' then p_row end;
  v_id uuid;
begin
  perform set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);
  if p_source = 'sms_messages' then
    update public.sms_messages set status = 'failed', status_reason = v_why, updated_at = now()
      where id = p_row returning queue_job_id into v_job;
    update dunlin.requests set state = 'parked', claim = null, claimed_until = null where message_id = p_row;
  end if;
  update public.queue_jobs
    set status = 'failed', error_message = v_why, processing_token = null, completed_at = now(), updated_at = now()
    where id = v_job and job_type = 'send_sms' and status not in ('completed', 'failed', 'cancelled');
  insert into dunlin.parked as p (source, row_id, reason, detail, daemon_id)
  values (p_source, p_row, left(p_reason, 100), left(p_detail, 1000), p_daemon)
  on conflict (source, row_id) where resolved_at is null do update
    set reason = excluded.reason, detail = excluded.detail, daemon_id = excluded.daemon_id, parked_at = now()
  returning id into v_id;
  perform dunlin.note('parked', v_id);
  perform set_config('dunlin.origin', coalesce(v_origin, ''), true);
end
$$;

-- Somebody changed the row: whether it is understood now is found out anew.
create or replace function dunlin.unpark(p_source text, p_row uuid) returns void
language sql set search_path = '' as $$
  update dunlin.parked set resolved_at = now() where source = p_source and row_id = p_row and resolved_at is null
$$;

-- A new row asks for a text, unless it says itself that it was sent or came to nothing.
create or replace function dunlin.request_message() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.status in ('pending', 'queued', 'scheduled') and new.twilio_sid is null and new.sent_at is null then
    insert into dunlin.requests (message_id, rank, due_at)
    values (new.id, dunlin.rank(new.priority), coalesce(new.scheduled_for, new.created_at, now()))
    on conflict (message_id) do nothing;
    perform pg_notify('dunlin', 'request');
  end if;
  return null;
end
$$;

create or replace trigger dunlin_request after insert on public.sms_messages
  for each row when (coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.request_message();

-- What others change about a text. Before a daemon has it, the row is theirs; afterwards the columns that say how
-- far it came are the engine's, and a cancellation is a wish that the engine answers.
create or replace function dunlin.guard_message() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_engine constant text[] := array['status', 'status_reason', 'sent_at', 'delivered_at', 'twilio_sid', 'twilio_status',
    'twilio_error_code', 'twilio_error_message', 'attempt_count', 'next_retry_at', 'engine_state', 'engine_id',
    'engine_version', 'idempotency_key'];
  v_request dunlin.requests;
  v_owner uuid;
  v_old jsonb;
  v_theirs jsonb;
  v_asks boolean := (new.message_content, new.phone_number, new.scheduled_for, new.priority)
    is distinct from (old.message_content, old.phone_number, old.scheduled_for, old.priority);
begin
  new.updated_at := now();
  select * into v_request from dunlin.requests where message_id = old.id for update;
  v_owner := case v_request.state when 'claimed' then v_request.daemon_id when 'parked' then null else old.engine_id end;

  if v_owner is null then
    if v_request.state = 'parked' and (v_asks or new.status in ('pending', 'queued', 'scheduled')) then
      if new.status not in ('pending', 'queued', 'scheduled') then
        new.status := 'queued';
      end if;
      new.status_reason := null;
      perform dunlin.unpark('sms_messages', old.id);
      v_request.state := 'waiting';
    end if;
    if v_request.state = 'waiting' then
      if new.status in ('pending', 'queued', 'scheduled') and new.twilio_sid is null and new.sent_at is null then
        update dunlin.requests
          set state = 'waiting', rank = dunlin.rank(new.priority),
              due_at = case when v_asks or old.status = 'failed'
                then greatest(coalesce(new.scheduled_for, now()), now()) else due_at end
          where message_id = old.id;
        perform pg_notify('dunlin', 'request');
      else
        -- Withdrawn, or somebody else did the work.
        delete from dunlin.requests where message_id = old.id;
        update public.queue_jobs set status = 'cancelled', completed_at = now(), updated_at = now()
          where id = old.queue_job_id and new.status = 'cancelled' and status in ('pending', 'retrying');
      end if;
    end if;
    return new;
  end if;

  -- What a daemon has is in its file and can't be worded anew there: an edit that had no effect would be worse than none.
  if v_request.state in ('claimed', 'accepted') and (new.message_content, new.phone_number, new.priority)
      is distinct from (old.message_content, old.phone_number, old.priority) then
    raise exception 'the text is being sent, or waits for its time, as it was asked for' using errcode = 'PT409',
      hint = 'withdraw it (cancel_sms_message, or status ''cancelled'') and ask for a new one; its time can be changed here';
  end if;
  if new.status = 'cancelled' and old.status <> 'cancelled' then
    new.cancel_requested_at := coalesce(old.cancel_requested_at, now());
    new.status := old.status;
  end if;
  if v_asks or new.cancel_requested_at is distinct from old.cancel_requested_at then
    update dunlin.requests set due_at = least(due_at, coalesce(new.scheduled_for, now())) where message_id = old.id;
    perform dunlin.note('message', old.id, v_owner);
  end if;

  v_old := to_jsonb(old);
  select jsonb_object_agg(t.name, t.value) into v_theirs
    from jsonb_each(to_jsonb(new)) t (name, value)
    where t.name = any (v_engine) and t.value is distinct from v_old -> t.name;
  if v_theirs is not null then
    insert into dunlin.conflicts as c (relation, row_id, name, theirs, ours, writer)
      select 'sms_messages', old.id, t.name, left(t.value, 200), left(v_old ->> t.name, 200), session_user
      from jsonb_each_text(v_theirs) t (name, value)
      on conflict (relation, row_id, name) do update set theirs = excluded.theirs, ours = excluded.ours,
        writer = excluded.writer, times = c.times + 1, last_at = now();
    new := jsonb_populate_record(new,
      (select jsonb_object_agg(name, v_old -> name) from jsonb_object_keys(v_theirs) t (name)));
  end if;
  return new;
end
$$;

create or replace trigger dunlin_guard before update on public.sms_messages
  for each row when (coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.guard_message();

create or replace function dunlin.forget_message() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_request dunlin.requests;
begin
  delete from dunlin.requests where message_id = old.id returning * into v_request;
  perform dunlin.unpark('sms_messages', old.id);
  if coalesce(old.engine_id, v_request.daemon_id) is not null then
    perform dunlin.note('message', old.id, coalesce(old.engine_id, v_request.daemon_id));
  end if;
  return null;
end
$$;

create or replace trigger dunlin_forget after delete on public.sms_messages
  for each row execute function dunlin.forget_message();

-- A job of type send_sms names a text, or holds one. What does neither is parked; the insert itself never fails.
create or replace function dunlin.request_job() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_payload jsonb := case when jsonb_typeof(new.metadata) = 'object' then new.metadata else '{}' end;
  v_id uuid := dunlin.uuid_of(v_payload ->> 'message_id');
  v_user uuid;
begin
  begin
    select user_id into v_user from public.sms_messages where id = v_id;
    if found and v_user <> new.user_id then
      perform dunlin.park_row('queue_jobs', new.id, 'wrong_user', 'the text that the job names is another user''s');
    elsif found and not exists (select from dunlin.requests where message_id = v_id) then
      perform dunlin.park_row('queue_jobs', new.id, 'finished', 'the text that the job names is finished already');
    elsif found then
      perform set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);
      update public.sms_messages set queue_job_id = new.id where id = v_id and queue_job_id is null;
      perform set_config('dunlin.origin', '', true);
    elsif v_payload ->> 'phone_number' is null or v_payload ->> 'message' is null then
      perform dunlin.park_row('queue_jobs', new.id, 'no_text',
        'the job names no row of sms_messages in message_id, and holds no phone_number and message');
    else
      insert into public.sms_messages
        (id, user_id, phone_number, message_content, status, priority, scheduled_for, queue_job_id, metadata)
      values (coalesce(v_id, gen_random_uuid()), new.user_id, v_payload ->> 'phone_number', v_payload ->> 'message',
        'queued', coalesce(v_payload ->> 'priority', 'normal')::public.sms_priority,
        case when new.scheduled_for > now() then new.scheduled_for end, new.id, v_payload - 'message' - 'phone_number');
    end if;
  exception when data_exception or integrity_constraint_violation then
    perform dunlin.park_row('queue_jobs', new.id, 'not_understood', sqlerrm);
  end;
  return null;
end
$$;

create or replace trigger dunlin_request after insert on public.queue_jobs
  for each row when (new.job_type = 'send_sms' and coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.request_job();

-- Once Dunlin has a text, nobody else gets its job: their claim finds no row, and other changes of how far it came
-- change nothing. Cancelling the job is a wish to withdraw the text.
create or replace function dunlin.guard_job() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_message uuid;
begin
  select m.id into v_message from public.sms_messages m left join dunlin.requests r on r.message_id = m.id
    where m.queue_job_id = old.id and (m.engine_id is not null or r.state = 'claimed')
    order by m.created_at limit 1;
  if not found then
    return new;
  end if;
  if new.status = 'processing'
    and (old.status <> 'processing' or new.processing_token is distinct from old.processing_token) then
    return null;
  elsif new.status = 'cancelled' and old.status in ('pending', 'processing', 'retrying') then
    update public.sms_messages set cancel_requested_at = now() where id = v_message and cancel_requested_at is null;
  elsif new.status is distinct from old.status then
    insert into dunlin.conflicts as c (relation, row_id, name, theirs, ours, writer)
    values ('queue_jobs', old.id, 'status', new.status::text, old.status::text, session_user)
    on conflict (relation, row_id, name) do update set theirs = excluded.theirs, ours = excluded.ours,
      writer = excluded.writer, times = c.times + 1, last_at = now();
  end if;
  new.status := old.status;
  new.processing_token := old.processing_token;
  new.attempts := old.attempts;
  new.error_message := old.error_message;
  new.result := old.result;
  new.started_at := old.started_at;
  new.completed_at := old.completed_at;
  return new;
end
$$;

create or replace trigger dunlin_guard before update on public.queue_jobs
  for each row when (old.job_type = 'send_sms' and coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.guard_job();

-- Whoever has the job has the text: while another worker has it, no daemon claims it, and what that worker gave up on
-- is parked instead of waiting for ever.
create or replace function dunlin.follow_job() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_message uuid;
  v_state text;
begin
  select m.id, r.state into v_message, v_state
    from public.sms_messages m join dunlin.requests r on r.message_id = m.id
    where m.queue_job_id = new.id and m.engine_id is null and r.state in ('waiting', 'elsewhere')
    order by m.created_at limit 1;
  if not found then
    return null;
  end if;
  case new.status::text
    when 'processing' then
      update dunlin.requests set state = 'elsewhere' where message_id = v_message;
    when 'pending', 'retrying' then
      update dunlin.requests set state = 'waiting', may_have_been_sent = may_have_been_sent or v_state = 'elsewhere'
        where message_id = v_message;
    when 'failed' then
      perform dunlin.park_row('sms_messages', v_message, 'failed_elsewhere',
        coalesce(new.error_message, 'another worker gave up on its job'));
    else
      delete from dunlin.requests where message_id = v_message;
      if new.status = 'cancelled' then
        perform set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);
        update public.sms_messages set status = 'cancelled', status_reason = 'its job was cancelled', updated_at = now()
          where id = v_message;
        perform set_config('dunlin.origin', '', true);
      end if;
  end case;
  return null;
end
$$;

create or replace trigger dunlin_follow after update of status on public.queue_jobs
  for each row when (old.job_type = 'send_sms' and old.status is distinct from new.status
    and coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.follow_job();

-- An opt-out stands until the engine learned of an opt-in, and a number that changes is not proven any more.
create or replace function dunlin.guard_preferences() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  new.updated_at := now();
  if tg_op = 'UPDATE' then
    if old.opted_out and not coalesce(new.opted_out, false) then
      raise exception 'an opt-out can''t be undone here' using errcode = 'PT403',
        hint = 'the person texts START, or somebody records what they said: PUT /v1/consent, or dunlin consent opt-in';
    end if;
    if new.phone_number is distinct from old.phone_number then
      new.phone_verified := false;
      new.phone_verified_at := null;
    end if;
  end if;
  if new.opted_out and (tg_op = 'INSERT' or not coalesce(old.opted_out, false)) then
    new.opted_out_at := coalesce(new.opted_out_at, now());
  end if;
  return new;
end
$$;

create or replace trigger dunlin_guard before insert or update on public.user_sms_preferences
  for each row when (coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.guard_preferences();

create or replace function dunlin.note_preferences() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- An older table may have preferences of nobody.
  if coalesce(new.user_id, old.user_id) is null then
    return null;
  end if;
  if dunlin.origin() is null then
    perform dunlin.unpark('user_sms_preferences', coalesce(new.user_id, old.user_id));
  end if;
  if tg_op = 'DELETE' then
    perform dunlin.note('preferences', old.user_id);
    return null;
  end if;
  -- What the engine counted itself is no news to anybody.
  if tg_op = 'UPDATE' and dunlin.origin() is not null
    and (new.opted_out, new.phone_number, new.phone_verified)
      is not distinct from (old.opted_out, old.phone_number, old.phone_verified) then
    return null;
  end if;
  perform dunlin.note('preferences', new.user_id);
  return null;
end
$$;

create or replace trigger dunlin_note after insert or update or delete on public.user_sms_preferences
  for each row execute function dunlin.note_preferences();

create or replace function dunlin.note_template() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform dunlin.unpark('sms_templates', coalesce(new.id, old.id));
  perform dunlin.note('template', coalesce(new.id, old.id));
  return null;
end
$$;

create or replace trigger dunlin_note after insert or update or delete on public.sms_templates
  for each row when (coalesce(current_setting('dunlin.origin', true), '') = '')
  execute function dunlin.note_template();

-- Where people are may stand in public.users instead. The function below is called again by whoever adds that table later.
create or replace function dunlin.note_zone() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform dunlin.unpark('user_sms_preferences', new.id);
  perform dunlin.note('preferences', new.id);
  return null;
end
$$;

create or replace function dunlin.watch_users() returns boolean
language plpgsql set search_path = '' as $$
begin
  if not exists (select from pg_catalog.pg_attribute where attrelid = to_regclass('public.users')
      and attname = 'timezone' and not attisdropped) then
    return false;
  end if;
  create or replace trigger dunlin_note after update of timezone on public.users
    for each row when (old.timezone is distinct from new.timezone) execute function dunlin.note_zone();
  return true;
end
$$;

select dunlin.watch_users();

-- Where people are, as far as public.users says it.
create or replace function dunlin.zones_of(p_users uuid[]) returns table (user_id uuid, zone text)
language plpgsql stable set search_path = '' as $$
begin
  if exists (select from pg_catalog.pg_attribute where attrelid = to_regclass('public.users')
      and attname = 'timezone' and not attisdropped) then
    return query execute 'select u.id, u.timezone::text from public.users u where u.id = any ($1)' using p_users;
  end if;
end
$$;
