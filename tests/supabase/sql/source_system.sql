-- A database of the source system's shape, with what such a one holds: stuck texts, failed jobs, open policies.
create type public.sms_status as enum
  ('pending', 'queued', 'sending', 'sent', 'delivered', 'failed', 'undelivered', 'scheduled', 'cancelled');
create type public.sms_priority as enum ('low', 'normal', 'high', 'urgent');
create type public.queue_status as enum ('pending', 'processing', 'completed', 'failed', 'cancelled', 'retrying');
create type public.queue_type as enum ('generate_daily_brief', 'sync_calendar', 'send_email', 'other', 'send_sms',
  'send_notification', 'schedule_daily_sms');

create function public.update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end
$$;

create table public.users (id uuid primary key references auth.users (id) on delete cascade, timezone text default 'UTC');
create table public.projects (id uuid primary key default gen_random_uuid());

create table public.sms_templates (
  id uuid primary key default gen_random_uuid(),
  template_key varchar(100) not null unique constraint valid_template_key check (template_key ~ '^[a-z0-9_]+$'),
  name varchar(255) not null, description text, message_template text not null,
  template_vars jsonb default '{}', required_vars jsonb default '[]', max_length integer default 160,
  is_active boolean default true, usage_count integer default 0, last_used_at timestamptz,
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz default now(), updated_at timestamptz default now());
create index idx_sms_templates_key on public.sms_templates (template_key);

create table public.queue_jobs (
  id uuid primary key default gen_random_uuid(), queue_job_id text not null unique, user_id uuid not null,
  job_type public.queue_type not null, status public.queue_status not null, metadata jsonb,
  priority integer default 10, attempts integer default 0, max_attempts integer default 3,
  scheduled_for timestamptz not null, created_at timestamptz not null default now(), updated_at timestamptz default now(),
  started_at timestamptz, completed_at timestamptz, processed_at timestamptz, error_message text, result jsonb,
  dedup_key text, processing_token uuid,
  constraint brief_generation_jobs_user_id_fkey foreign key (user_id) references public.users (id) on delete cascade);
create unique index idx_queue_jobs_dedup_key_unique on public.queue_jobs (dedup_key)
  where dedup_key is not null and status in ('pending', 'processing');
create index idx_queue_jobs_claim on public.queue_jobs (job_type, priority, scheduled_for) where status = 'pending';

create table public.sms_messages (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  phone_number text not null, message_content text not null,
  template_id uuid references public.sms_templates (id) on delete set null, template_vars jsonb,
  status public.sms_status not null default 'pending', priority public.sms_priority not null default 'normal',
  scheduled_for timestamptz, sent_at timestamptz, delivered_at timestamptz, twilio_sid text, twilio_status text,
  twilio_error_code integer, twilio_error_message text, attempt_count integer default 0, max_attempts integer default 3,
  next_retry_at timestamptz, queue_job_id uuid references public.queue_jobs (id) on delete set null,
  project_id uuid references public.projects (id) on delete set null, notification_delivery_id uuid,
  metadata jsonb default '{}', created_at timestamptz default now(), updated_at timestamptz default now());
create index idx_sms_messages_user_status on public.sms_messages (user_id, status);
create index idx_sms_messages_queue_job on public.sms_messages (queue_job_id);

create table public.user_sms_preferences (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null constraint unique_user_sms_prefs unique references auth.users (id) on delete cascade,
  phone_number text, phone_verified boolean default false, phone_verified_at timestamptz,
  event_reminders_enabled boolean default true, reminder_lead_time_minutes integer default 15,
  urgent_alerts boolean default true, quiet_hours_start time default '21:00', quiet_hours_end time default '08:00',
  daily_sms_limit integer default 10, daily_sms_count integer default 0, daily_count_reset_at timestamptz default now(),
  opted_out boolean default false, opted_out_at timestamptz, opt_out_reason text,
  created_at timestamptz default now(), updated_at timestamptz default now());

create table public.sms_metrics (
  id uuid primary key default gen_random_uuid(), metric_date date not null, metric_hour smallint,
  user_id uuid references auth.users (id) on delete cascade, metric_type text not null,
  metric_value numeric(20, 6) not null default 0, metadata jsonb default '{}',
  created_at timestamptz default now(), updated_at timestamptz default now(),
  unique (metric_date, metric_hour, user_id, metric_type));

create trigger update_sms_messages_updated_at before update on public.sms_messages
  for each row execute function public.update_updated_at_column();

alter table public.sms_templates enable row level security;
alter table public.sms_messages enable row level security;
alter table public.user_sms_preferences enable row level security;
alter table public.queue_jobs enable row level security;
create policy "Users can view own messages" on public.sms_messages for select using (auth.uid() = user_id);
create policy "Users can insert own messages" on public.sms_messages for insert with check (auth.uid() = user_id);
create policy user_sms_preferences_own_all on public.user_sms_preferences for all to authenticated
  using (auth.uid() = user_id) with check (auth.uid() = user_id);
create policy queue_jobs_own on public.queue_jobs for select to authenticated using (auth.uid() = user_id);
create policy queue_jobs_own_update on public.queue_jobs for update to authenticated using (auth.uid() = user_id);

create function public.add_queue_job(p_user_id uuid, p_job_type text, p_metadata jsonb, p_priority integer default 10,
  p_scheduled_for timestamptz default now(), p_dedup_key text default null) returns uuid language plpgsql as $$
declare v_id uuid;
begin
  insert into queue_jobs (user_id, job_type, metadata, priority, scheduled_for, dedup_key, status, queue_job_id)
  values (p_user_id, p_job_type::queue_type, p_metadata, p_priority, p_scheduled_for, p_dedup_key, 'pending',
    p_job_type || '_' || gen_random_uuid()) returning id into v_id;
  return v_id;
end
$$;
create function public.queue_sms_message(p_user_id uuid, p_phone_number text, p_message text,
  p_priority public.sms_priority default 'normal', p_scheduled_for timestamptz default null, p_metadata jsonb default '{}')
  returns uuid language plpgsql security definer as $$
declare v_id uuid;
begin
  insert into sms_messages (user_id, phone_number, message_content, priority, scheduled_for, metadata)
  values (p_user_id, p_phone_number, p_message, p_priority, p_scheduled_for, p_metadata) returning id into v_id;
  return v_id;
end
$$;
create function public.claim_pending_jobs(p_job_types text[], p_batch_size integer default 5)
  returns setof public.queue_jobs language sql as $$
  update queue_jobs set status = 'processing', processing_token = gen_random_uuid(), started_at = now(), updated_at = now()
  where id in (select id from queue_jobs where status = 'pending' and job_type::text = any (p_job_types)
    and scheduled_for <= now() order by priority, scheduled_for limit p_batch_size for update skip locked)
  returning *
$$;

-- Two people; the second has opted out.
insert into auth.users (id, email) values
  ('a0000000-0000-4000-8000-000000000001', 'ada@example.com'), ('a0000000-0000-4000-8000-000000000002', 'bob@example.com');
insert into public.users (id, timezone) values
  ('a0000000-0000-4000-8000-000000000001', 'America/New_York'), ('a0000000-0000-4000-8000-000000000002', 'Europe/Paris');
insert into public.user_sms_preferences (user_id, phone_number, phone_verified, reminder_lead_time_minutes, opted_out) values
  ('a0000000-0000-4000-8000-000000000001', '+15551230001', true, 30, false),
  ('a0000000-0000-4000-8000-000000000002', '+15551230002', true, 60, true);
insert into public.sms_templates (template_key, name, message_template) values
  ('task_reminder', 'Task reminder', '{{task_name}} is due {{due_time}}');

-- 195 texts that wait since last year, each with a job that failed before it was looked at.
insert into public.queue_jobs (id, queue_job_id, user_id, job_type, status, scheduled_for, created_at, attempts, error_message)
select ('b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'send_sms_' || n, 'a0000000-0000-4000-8000-000000000001',
  'send_sms', 'failed', now() - interval '300 days', now() - interval '300 days', 0, 'user_id is required'
from generate_series(1, 220) n;
insert into public.sms_messages (id, user_id, phone_number, message_content, status, queue_job_id, created_at)
select ('c0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'a0000000-0000-4000-8000-000000000001', '+15551230001',
  'Old reminder ' || n, 'queued', ('b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, now() - interval '300 days'
from generate_series(1, 195) n;

-- Scheduled an hour ahead without a job; queued with a pending job that an earlier try of its worker left; with a job that
-- its worker holds; with a job that ended; delivered long ago; and a pending job that names no text.
insert into public.sms_messages (id, user_id, phone_number, message_content, status, priority, scheduled_for) values
  ('d0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', '+15551230001', 'In an hour', 'scheduled',
   'high', now() + interval '1 hour');
insert into public.queue_jobs (id, queue_job_id, user_id, job_type, status, scheduled_for, metadata, attempts) values
  ('e0000000-0000-4000-8000-000000000002', 'send_sms_x2', 'a0000000-0000-4000-8000-000000000001', 'send_sms', 'pending', now(),
   '{"message_id": "d0000000-0000-4000-8000-000000000002"}', 1),
  ('e0000000-0000-4000-8000-000000000003', 'send_sms_x3', 'a0000000-0000-4000-8000-000000000001', 'send_sms', 'processing', now(),
   '{"message_id": "d0000000-0000-4000-8000-000000000003"}', 0),
  ('e0000000-0000-4000-8000-000000000004', 'send_sms_x4', 'a0000000-0000-4000-8000-000000000001', 'send_sms', 'completed', now(),
   '{"message_id": "d0000000-0000-4000-8000-000000000004"}', 0),
  ('e0000000-0000-4000-8000-000000000006', 'send_sms_x6', 'a0000000-0000-4000-8000-000000000001', 'send_sms', 'pending', now(),
   '{"scheduled_sms_id": 7}', 0),
  ('e0000000-0000-4000-8000-000000000007', 'brief_1', 'a0000000-0000-4000-8000-000000000001', 'generate_daily_brief', 'pending',
   now(), '{}', 0);
insert into public.sms_messages (id, user_id, phone_number, message_content, status, queue_job_id) values
  ('d0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', '+15551230001', 'Tried once', 'queued', null),
  ('d0000000-0000-4000-8000-000000000003', 'a0000000-0000-4000-8000-000000000001', '+15551230001', 'Held by the old worker',
   'queued', 'e0000000-0000-4000-8000-000000000003'),
  ('d0000000-0000-4000-8000-000000000004', 'a0000000-0000-4000-8000-000000000001', '+15551230001', 'Its job ended', 'queued',
   'e0000000-0000-4000-8000-000000000004');
insert into public.sms_messages (id, user_id, phone_number, message_content, status, twilio_sid, sent_at, delivered_at) values
  ('d0000000-0000-4000-8000-000000000005', 'a0000000-0000-4000-8000-000000000002', '+15551230002', 'Arrived', 'delivered',
   'SM00000000000000000000000000000005', now() - interval '2 days', now() - interval '2 days');
