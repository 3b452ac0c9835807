-- How people and their web app ask for a text, and withdraw one.

-- Makes room for a function of ours: keeps the definition of what has its name, then drops that.
create or replace function dunlin.retire(p_name text) returns void
language plpgsql set search_path = '' as $$
declare
  v_old record;
begin
  for v_old in
    select p.oid::regprocedure as signature, pg_get_functiondef(p.oid) as definition
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname = p_name and p.prokind = 'f'
      and coalesce(obj_description(p.oid, 'pg_proc'), '') not like 'Dunlin: %'
  loop
    insert into dunlin.replaced (signature, definition) values (v_old.signature::text, v_old.definition);
    execute format('drop function %s', v_old.signature);
  end loop;
end
$$;

select dunlin.retire('add_queue_job'), dunlin.retire('queue_sms_message');

create or replace function public.add_queue_job(
  p_user_id uuid,
  p_job_type text,
  p_metadata jsonb,
  p_priority integer default 10,
  p_scheduled_for timestamptz default now(),
  p_dedup_key text default null
) returns uuid
language plpgsql security invoker set search_path = '' as $$
declare
  v_payload jsonb := case when jsonb_typeof(p_metadata) = 'object' then p_metadata
    else jsonb_build_object('payload', p_metadata) end;
  v_id uuid;
begin
  v_payload := v_payload || jsonb_build_object('correlationId',
    coalesce(dunlin.uuid_of(v_payload ->> 'correlationId'), gen_random_uuid()));
  -- Two tries: the job that stands in the way of the first may have ended before it was looked up.
  for _ in 1..2 loop
    begin
      insert into public.queue_jobs
        (queue_job_id, user_id, job_type, status, metadata, priority, scheduled_for, dedup_key)
      values (p_job_type || '_' || gen_random_uuid(), p_user_id, p_job_type::public.queue_type, 'pending', v_payload,
        coalesce(p_priority, 10), coalesce(p_scheduled_for, now()), p_dedup_key)
      returning id into v_id;
      return v_id;
    exception when unique_violation then
      if p_dedup_key is null then
        raise;
      end if;
      select id into v_id from public.queue_jobs
        where dedup_key = p_dedup_key and status in ('pending', 'processing') order by created_at limit 1;
      if found then
        return v_id;
      end if;
    end;
  end loop;
  raise exception 'the job with dedup_key "%" came and went meanwhile; try again', p_dedup_key using errcode = 'PT409';
end
$$;
comment on function public.add_queue_job(uuid, text, jsonb, integer, timestamptz, text)
  is 'Dunlin: adds a job, or finds the active one with the same dedup key.';

-- What both ways to ask for a text have in common.
create or replace function dunlin.queue_text(
  p_user_id uuid, p_phone_number text, p_message text, p_priority public.sms_priority,
  p_scheduled_for timestamptz, p_metadata jsonb, p_idempotency_key text
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_id uuid := gen_random_uuid();
  v_old public.sms_messages;
  v_priority public.sms_priority := coalesce(p_priority, 'normal');
  v_scheduled_for timestamptz := case when p_scheduled_for > now() then p_scheduled_for end;
begin
  if p_user_id is null or not exists (select from auth.users where id = p_user_id) then
    raise exception 'p_user_id: there is no such user' using errcode = 'PT422';
  elsif p_phone_number is null or p_phone_number !~ '^\+[1-9][0-9]{6,14}$' then
    raise exception 'p_phone_number: write it in E.164, such as +15551234567' using errcode = 'PT422';
  elsif p_message is null or p_message !~ '\S' or length(p_message) > 1600 then
    raise exception 'p_message: expected 1 to 1600 characters, not all of them blank' using errcode = 'PT422';
  elsif not isfinite(p_scheduled_for) then
    raise exception 'p_scheduled_for: expected an instant' using errcode = 'PT422';
  elsif jsonb_typeof(coalesce(p_metadata, '{}')) <> 'object' or octet_length(p_metadata::text) > 4096 then
    raise exception 'p_metadata: expected an object of at most 4096 bytes' using errcode = 'PT422';
  elsif length(p_idempotency_key) not between 1 and 255 then
    raise exception 'p_idempotency_key: expected 1 to 255 characters' using errcode = 'PT422';
  elsif exists (select from public.user_sms_preferences
      where opted_out and (user_id = p_user_id or phone_number = p_phone_number)) then
    raise exception 'the person opted out; nothing is sent to them' using errcode = 'PT403';
  elsif exists (select from public.user_sms_preferences
      where phone_number = p_phone_number and phone_verified and user_id <> p_user_id) then
    raise exception 'p_phone_number: the number is not this user''s' using errcode = 'PT403';
  end if;

  insert into public.sms_messages
    (id, user_id, phone_number, message_content, status, priority, scheduled_for, metadata, idempotency_key)
  values (v_id, p_user_id, p_phone_number, p_message,
    case when v_scheduled_for is null then 'queued' else 'scheduled' end::public.sms_status,
    v_priority, v_scheduled_for, coalesce(p_metadata, '{}'), p_idempotency_key)
  on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing;
  if not found then
    select * into v_old from public.sms_messages
      where user_id = p_user_id and idempotency_key = p_idempotency_key;
    if (v_old.phone_number, v_old.message_content) is distinct from (p_phone_number, p_message) then
      raise exception 'p_idempotency_key: another text was asked for with this key' using errcode = 'PT409';
    end if;
    return v_old.id;
  end if;
  -- Debug queries look here too; the job finds its text by message_id.
  perform public.add_queue_job(p_user_id, 'send_sms',
    coalesce(p_metadata, '{}') || jsonb_build_object('message_id', v_id, 'user_id', p_user_id, 'priority', v_priority),
    case v_priority::text when 'urgent' then 1 when 'high' then 5 when 'normal' then 10 else 20 end,
    coalesce(v_scheduled_for, now()));
  return v_id;
end
$$;

-- For the web app's server: any user's text. Who may call this is a matter of grants.
create or replace function dunlin.queue_as_service(
  p_user_id uuid, p_phone_number text, p_message text, p_priority public.sms_priority,
  p_scheduled_for timestamptz, p_metadata jsonb, p_idempotency_key text
) returns uuid
language plpgsql security definer set search_path = '' as $$
begin
  return dunlin.queue_text(p_user_id, p_phone_number, p_message, p_priority, p_scheduled_for, p_metadata, p_idempotency_key);
end
$$;

-- For somebody who is signed in: their own text, to the number that they have proven, and not more than 100 that wait.
create or replace function dunlin.queue_as_self(
  p_user_id uuid, p_phone_number text, p_message text, p_priority public.sms_priority,
  p_scheduled_for timestamptz, p_metadata jsonb, p_idempotency_key text
) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  v_self uuid := auth.uid();
  v_number text;
begin
  if v_self is null or p_user_id is distinct from v_self then
    raise exception 'p_user_id: a text can be asked for in one''s own name only' using errcode = 'PT403';
  elsif coalesce((auth.jwt() ->> 'is_anonymous')::boolean, false) then
    raise exception 'an anonymous user has no texts' using errcode = 'PT403';
  end if;
  select phone_number into v_number from public.user_sms_preferences where user_id = v_self and phone_verified;
  if v_number is null or coalesce(p_phone_number, v_number) <> v_number then
    raise exception 'p_phone_number: the number is not proven to be yours' using errcode = 'PT403';
  elsif (select count(*) from dunlin.requests r join public.sms_messages m on m.id = r.message_id
      where m.user_id = v_self) >= 100 then
    raise exception '100 texts of yours wait already' using errcode = 'PT429';
  end if;
  return dunlin.queue_text(v_self, v_number, p_message, p_priority, p_scheduled_for, p_metadata, p_idempotency_key);
end
$$;

create or replace function public.queue_sms_message(
  p_user_id uuid,
  p_phone_number text,
  p_message text,
  p_priority public.sms_priority default 'normal',
  p_scheduled_for timestamptz default null,
  p_metadata jsonb default '{}',
  p_idempotency_key text default null
) returns uuid
language plpgsql security invoker set search_path = '' as $$
begin
  if has_function_privilege(
      'dunlin.queue_as_service(uuid, text, text, public.sms_priority, timestamptz, jsonb, text)', 'execute') then
    return dunlin.queue_as_service(
      p_user_id, p_phone_number, p_message, p_priority, p_scheduled_for, p_metadata, p_idempotency_key);
  end if;
  return dunlin.queue_as_self(
    p_user_id, p_phone_number, p_message, p_priority, p_scheduled_for, p_metadata, p_idempotency_key);
end
$$;
comment on function public.queue_sms_message(uuid, text, text, public.sms_priority, timestamptz, jsonb, text)
  is 'Dunlin: asks for a text; returns the id of its row in sms_messages.';

-- Withdraws a text of one's own. Answers with the status, which is cancelled at once unless the engine has the text:
-- then it changes when the engine has withdrawn it.
create or replace function dunlin.cancel_own(p_message_id uuid) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_status text;
begin
  update public.sms_messages set status = 'cancelled'
    where id = p_message_id and user_id = auth.uid()
      and status not in ('sent', 'delivered', 'undelivered', 'failed', 'cancelled')
    returning status::text into v_status;
  if v_status is null then
    select status::text into v_status from public.sms_messages where id = p_message_id and user_id = auth.uid();
  end if;
  return v_status;
end
$$;

create or replace function public.cancel_sms_message(p_message_id uuid) returns text
language sql security invoker set search_path = '' as $$
  select dunlin.cancel_own(p_message_id)
$$;
comment on function public.cancel_sms_message(uuid) is 'Dunlin: withdraws a text of the caller''s; returns its status.';
