-- The tables that people and their web app see: made where they are absent, widened where they are there.
--
-- Nothing is dropped, renamed or narrowed. A column that an existing table lacks is added; a time that
-- nobody recorded stays null rather than becoming the time of this migration.

create table if not exists public.sms_templates (
  id uuid primary key default gen_random_uuid(),
  template_key varchar(100) not null unique
    constraint valid_template_key check (template_key ~ '^[a-z0-9_]+$'),
  name varchar(255) not null,
  description text,
  message_template text not null check (length(trim(message_template)) > 0),
  template_vars jsonb default '{}',
  required_vars jsonb default '[]',
  max_length integer default 160,
  is_active boolean default true,
  usage_count integer default 0,
  last_used_at timestamptz,
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

alter table public.sms_templates
  add column if not exists description text,
  add column if not exists template_vars jsonb default '{}',
  add column if not exists required_vars jsonb default '[]',
  add column if not exists max_length integer default 160,
  add column if not exists is_active boolean default true,
  add column if not exists usage_count integer default 0,
  add column if not exists last_used_at timestamptz,
  add column if not exists created_at timestamptz,
  add column if not exists updated_at timestamptz;
alter table public.sms_templates
  alter column created_at set default now(),
  alter column updated_at set default now();

-- Shared with other workers: Dunlin touches jobs of type send_sms and no others.
create table if not exists public.queue_jobs (
  id uuid primary key default gen_random_uuid(),
  queue_job_id text not null unique,
  user_id uuid not null references auth.users (id) on delete cascade,
  job_type public.queue_type not null,
  status public.queue_status not null default 'pending',
  metadata jsonb,
  priority integer default 10,
  attempts integer default 0,
  max_attempts integer default 3,
  scheduled_for timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  started_at timestamptz,
  completed_at timestamptz,
  processed_at timestamptz,
  error_message text,
  result jsonb,
  dedup_key text,
  processing_token uuid
);

alter table public.queue_jobs
  add column if not exists queue_job_id text,
  add column if not exists metadata jsonb,
  add column if not exists priority integer default 10,
  add column if not exists attempts integer default 0,
  add column if not exists max_attempts integer default 3,
  add column if not exists scheduled_for timestamptz,
  add column if not exists created_at timestamptz,
  add column if not exists updated_at timestamptz,
  add column if not exists started_at timestamptz,
  add column if not exists completed_at timestamptz,
  add column if not exists processed_at timestamptz,
  add column if not exists error_message text,
  add column if not exists result jsonb,
  add column if not exists dedup_key text,
  add column if not exists processing_token uuid;
alter table public.queue_jobs
  alter column scheduled_for set default now(),
  alter column created_at set default now(),
  alter column updated_at set default now();

create table if not exists public.sms_messages (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  phone_number text not null,
  message_content text not null,
  template_id uuid references public.sms_templates (id) on delete set null,
  template_vars jsonb,
  status public.sms_status not null default 'pending',
  priority public.sms_priority not null default 'normal',
  scheduled_for timestamptz,
  sent_at timestamptz,
  delivered_at timestamptz,
  twilio_sid text,
  twilio_status text,
  twilio_error_code integer,
  twilio_error_message text,
  attempt_count integer default 0,
  max_attempts integer default 3,
  next_retry_at timestamptz,
  queue_job_id uuid references public.queue_jobs (id) on delete set null,
  metadata jsonb default '{}',
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

alter table public.sms_messages
  add column if not exists template_id uuid references public.sms_templates (id) on delete set null,
  add column if not exists template_vars jsonb,
  add column if not exists priority public.sms_priority not null default 'normal',
  add column if not exists scheduled_for timestamptz,
  add column if not exists sent_at timestamptz,
  add column if not exists delivered_at timestamptz,
  add column if not exists twilio_sid text,
  add column if not exists twilio_status text,
  add column if not exists twilio_error_code integer,
  add column if not exists twilio_error_message text,
  add column if not exists attempt_count integer default 0,
  add column if not exists max_attempts integer default 3,
  add column if not exists next_retry_at timestamptz,
  add column if not exists queue_job_id uuid references public.queue_jobs (id) on delete set null,
  add column if not exists metadata jsonb default '{}',
  add column if not exists created_at timestamptz,
  add column if not exists updated_at timestamptz,
  -- A repeat with the same key of the same user is the same text.
  add column if not exists idempotency_key text,
  -- Set when somebody asks to withdraw a text that the engine has; the status changes when it has done so.
  add column if not exists cancel_requested_at timestamptz,
  -- Why the text is where it is, for people.
  add column if not exists status_reason text,
  -- The engine's own word for where the text is, finer than the status.
  add column if not exists engine_state text,
  -- Whose text it is, and the newest position of that engine's journal that reached this row.
  add column if not exists engine_id uuid,
  add column if not exists engine_version bigint;
alter table public.sms_messages
  alter column created_at set default now(),
  alter column updated_at set default now();
create unique index if not exists sms_messages_idempotency_key_idx
  on public.sms_messages (user_id, idempotency_key) where idempotency_key is not null;

create table if not exists public.user_sms_preferences (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade
    constraint unique_user_sms_prefs unique,
  phone_number text,
  phone_verified boolean default false,
  phone_verified_at timestamptz,
  task_reminders boolean default true,
  daily_brief_sms boolean default false,
  event_reminders_enabled boolean default false,
  event_reminder_lead_time_minutes integer default 15,
  morning_kickoff_enabled boolean default false,
  morning_kickoff_time time default '08:00:00',
  evening_recap_enabled boolean default false,
  urgent_alerts boolean default true,
  quiet_hours_start time default '21:00:00',
  quiet_hours_end time default '08:00:00',
  timezone text,
  daily_sms_limit integer default 10,
  daily_sms_count integer default 0,
  daily_count_reset_at timestamptz default now(),
  opted_out boolean default false,
  opted_out_at timestamptz,
  opt_out_reason text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

-- Before 2025-10-11 the source system called the lead time otherwise; what people chose is carried over.
do $$
declare
  has_old boolean := exists (select from pg_catalog.pg_attribute
    where attrelid = 'public.user_sms_preferences'::regclass and attname = 'reminder_lead_time_minutes' and not attisdropped);
  has_new boolean := exists (select from pg_catalog.pg_attribute
    where attrelid = 'public.user_sms_preferences'::regclass and attname = 'event_reminder_lead_time_minutes' and not attisdropped);
begin
  if has_old and not has_new then
    alter table public.user_sms_preferences add column event_reminder_lead_time_minutes integer default 15;
    update public.user_sms_preferences set event_reminder_lead_time_minutes = reminder_lead_time_minutes
      where reminder_lead_time_minutes is not null;
  end if;
end
$$;

alter table public.user_sms_preferences
  add column if not exists phone_number text,
  add column if not exists phone_verified boolean default false,
  add column if not exists phone_verified_at timestamptz,
  add column if not exists task_reminders boolean default true,
  add column if not exists daily_brief_sms boolean default false,
  add column if not exists event_reminders_enabled boolean default false,
  add column if not exists event_reminder_lead_time_minutes integer default 15,
  add column if not exists morning_kickoff_enabled boolean default false,
  add column if not exists morning_kickoff_time time default '08:00:00',
  add column if not exists evening_recap_enabled boolean default false,
  add column if not exists urgent_alerts boolean default true,
  add column if not exists quiet_hours_start time,
  add column if not exists quiet_hours_end time,
  add column if not exists timezone text,
  add column if not exists daily_sms_limit integer default 10,
  add column if not exists daily_sms_count integer default 0,
  add column if not exists daily_count_reset_at timestamptz,
  add column if not exists opted_out boolean default false,
  add column if not exists opted_out_at timestamptz,
  add column if not exists opt_out_reason text,
  add column if not exists created_at timestamptz,
  add column if not exists updated_at timestamptz;
alter table public.user_sms_preferences
  alter column daily_count_reset_at set default now(),
  alter column created_at set default now(),
  alter column updated_at set default now();

create table if not exists public.sms_metrics (
  id uuid primary key default gen_random_uuid(),
  metric_date date not null,
  metric_hour integer check (metric_hour between 0 and 23),
  user_id uuid references auth.users (id) on delete cascade,
  metric_type text not null,
  metric_value numeric(20, 6) not null default 0,
  metadata jsonb default '{}',
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique nulls not distinct (metric_date, metric_hour, user_id, metric_type)
);

-- What an existing table must be for the rest to work: said here, with the remedy, and not by a later error.
do $$
declare
  found text;
begin
  for found in
    select format('%s.%s is of type %s and must be of %s; convert it first: alter table public.%1$s alter column %2$s type %4$s using %2$s::text::%4$s',
                  want.relation, want.name, format_type(a.atttypid, a.atttypmod), want.type)
    from (values ('sms_messages', 'status', 'public.sms_status'), ('sms_messages', 'priority', 'public.sms_priority'),
                 ('queue_jobs', 'status', 'public.queue_status'), ('queue_jobs', 'job_type', 'public.queue_type'))
      as want (relation, name, type)
    join pg_catalog.pg_attribute a
      on a.attrelid = to_regclass('public.' || want.relation) and a.attname = want.name
    where a.atttypid <> to_regtype(want.type)
  loop
    raise exception '%', found using errcode = 'datatype_mismatch';
  end loop;
end
$$;

-- Every foreign key has an index that leads with its columns; also the lookups by number and by dedup key.
do $$
declare
  wanted record;
begin
  for wanted in
    with columns as (
      select c.conrelid::regclass as relation, c.conkey as keys
      from pg_catalog.pg_constraint c
      where c.contype = 'f' and c.conrelid in ('public.sms_templates'::regclass, 'public.sms_messages'::regclass,
        'public.user_sms_preferences'::regclass, 'public.queue_jobs'::regclass, 'public.sms_metrics'::regclass)
      union
      select a.attrelid::regclass, array[a.attnum] from pg_catalog.pg_attribute a
      where a.attrelid = 'public.user_sms_preferences'::regclass and a.attname = 'phone_number'
    )
    select distinct relation, keys,
      (select string_agg(a.attname, '_' order by k.place) from unnest(keys) with ordinality k (attnum, place)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = k.attnum) as name,
      (select string_agg(quote_ident(a.attname), ', ' order by k.place) from unnest(keys) with ordinality k (attnum, place)
        join pg_catalog.pg_attribute a on a.attrelid = relation and a.attnum = k.attnum) as list
    from columns
    where not exists (select from pg_catalog.pg_index i where i.indrelid = relation and i.indisvalid
      and (i.indkey::smallint[])[0:cardinality(keys) - 1] @> keys
      and (i.indpred is null or cardinality(keys) = 1 and pg_get_expr(i.indpred, i.indrelid)
           = format('(%I IS NOT NULL)', (select a.attname from pg_catalog.pg_attribute a where a.attrelid = relation and a.attnum = keys[1]))))
  loop
    execute format('create index %I on %s (%s)',
      (select relname from pg_catalog.pg_class where oid = wanted.relation) || '_' || wanted.name || '_idx',
      wanted.relation, wanted.list);
  end loop;

  if not exists (select from pg_catalog.pg_index i join pg_catalog.pg_attribute a
      on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = 'public.queue_jobs'::regclass and i.indisunique and i.indnkeyatts = 1 and a.attname = 'dedup_key') then
    create unique index queue_jobs_dedup_key_active_idx on public.queue_jobs (dedup_key)
      where dedup_key is not null and status in ('pending', 'processing');
  end if;

  -- One user per proven number. Where two have proven the same one already, people must sort that out first.
  if to_regclass('public.user_sms_preferences_proven_number_idx') is null then
    if exists (select from public.user_sms_preferences where phone_verified and phone_number is not null
        group by phone_number having count(*) > 1) then
      raise warning 'several users have proven the same number; the index user_sms_preferences_proven_number_idx was left out';
    else
      create unique index user_sms_preferences_proven_number_idx
        on public.user_sms_preferences (phone_number) where phone_verified;
    end if;
  end if;
end
$$;
