-- The private schema and the worker's role, and every word that a status, a priority or a job may be.
--
-- New words of a type can't be used in the transaction that adds them, so they have a file of their own.

create schema if not exists dunlin;

-- Which of these files dunlin migrate applied; the Supabase CLI keeps its own list.
create table if not exists dunlin.migrations (
  version text primary key,
  name text not null,
  checksum text not null,
  applied_by text not null default session_user,
  applied_at timestamptz not null default now()
);
alter table dunlin.migrations enable row level security;

-- Whoever runs Dunlin gives it a password: alter role dunlin_worker login password '...'.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'dunlin_worker') then
    create role dunlin_worker nologin;
  end if;

  if to_regtype('public.sms_status') is null then
    create type public.sms_status as enum
      ('pending', 'queued', 'sending', 'sent', 'delivered', 'failed', 'undelivered', 'scheduled', 'cancelled');
  end if;
  if to_regtype('public.sms_priority') is null then
    create type public.sms_priority as enum ('low', 'normal', 'high', 'urgent');
  end if;
  if to_regtype('public.queue_status') is null then
    create type public.queue_status as enum
      ('pending', 'processing', 'completed', 'failed', 'cancelled', 'retrying');
  end if;
  if to_regtype('public.queue_type') is null then
    create type public.queue_type as enum ('send_sms', 'other');
  end if;
end
$$;

alter type public.sms_status add value if not exists 'pending';
alter type public.sms_status add value if not exists 'queued';
alter type public.sms_status add value if not exists 'sending';
alter type public.sms_status add value if not exists 'sent';
alter type public.sms_status add value if not exists 'delivered';
alter type public.sms_status add value if not exists 'failed';
alter type public.sms_status add value if not exists 'undelivered';
alter type public.sms_status add value if not exists 'scheduled';
alter type public.sms_status add value if not exists 'cancelled';
alter type public.sms_priority add value if not exists 'low';
alter type public.sms_priority add value if not exists 'normal';
alter type public.sms_priority add value if not exists 'high';
alter type public.sms_priority add value if not exists 'urgent';
alter type public.queue_status add value if not exists 'pending';
alter type public.queue_status add value if not exists 'processing';
alter type public.queue_status add value if not exists 'completed';
alter type public.queue_status add value if not exists 'failed';
alter type public.queue_status add value if not exists 'cancelled';
alter type public.queue_status add value if not exists 'retrying';
alter type public.queue_type add value if not exists 'send_sms';
