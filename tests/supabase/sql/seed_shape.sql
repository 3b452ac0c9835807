-- A database of the shape that the seed draws: five statuses, no row level security, the columns of its tree and those that
-- its queries name.
create type public.sms_status as enum ('pending', 'queued', 'sent', 'delivered', 'failed');
create type public.sms_priority as enum ('low', 'normal', 'high', 'urgent');
create type public.queue_type as enum ('generate_daily_brief', 'send_sms');
create type public.queue_status as enum ('pending', 'processing', 'completed', 'failed');

create table public.queue_jobs (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id),
  job_type public.queue_type not null, status public.queue_status not null default 'pending', metadata jsonb,
  created_at timestamptz default now());
create table public.sms_templates (id uuid primary key default gen_random_uuid(), template_key varchar unique,
  name varchar, message_template text, template_vars jsonb, is_active boolean default true, usage_count integer default 0);
create table public.sms_messages (id uuid primary key default gen_random_uuid(), user_id uuid references auth.users (id),
  phone_number text, message_content text, template_id uuid references public.sms_templates (id),
  status public.sms_status default 'pending', priority public.sms_priority default 'normal', twilio_sid text,
  attempt_count integer default 0, queue_job_id uuid references public.queue_jobs (id), created_at timestamptz default now());
create table public.user_sms_preferences (id uuid primary key default gen_random_uuid(),
  user_id uuid unique references auth.users (id), phone_number text, phone_verified boolean default false,
  task_reminders boolean default true, daily_brief_sms boolean default true, urgent_alerts boolean default true,
  quiet_hours_start time, quiet_hours_end time, opted_out boolean default false, daily_sms_limit integer default 10,
  daily_sms_count integer default 0);

insert into auth.users (id, email) values ('a0000000-0000-4000-8000-000000000001', 'ada@example.com');
insert into public.user_sms_preferences (user_id, phone_number, phone_verified, daily_brief_sms) values
  ('a0000000-0000-4000-8000-000000000001', '+15551230001', true, false);
insert into public.sms_templates (template_key, name, message_template, usage_count) values ('welcome', 'Welcome', 'Welcome!', 3);
insert into public.sms_messages (id, user_id, phone_number, message_content, status, template_id)
select 'd0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', '+15551230001', 'Hello', 'pending', id
from public.sms_templates;
insert into public.sms_messages (id, user_id, phone_number, message_content, status, twilio_sid, attempt_count) values
  ('d0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', '+15551230001', 'Arrived', 'delivered',
   'SM00000000000000000000000000000002', 1);
