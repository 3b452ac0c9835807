-- Figures for dashboards. What texts tell is counted from the texts, so it is right whenever it is asked; only what they
-- don't tell, such as what a language model cost, is recorded.

select dunlin.retire('record_sms_metric'), dunlin.retire('get_sms_daily_metrics'),
  dunlin.retire('get_user_sms_metrics'), dunlin.retire('get_sms_notification_stats');

create or replace function public.record_sms_metric(
  p_metric_date date,
  p_metric_hour integer,
  p_user_id uuid,
  p_metric_type text,
  p_metric_value numeric,
  p_metadata jsonb default '{}'
) returns void
language plpgsql security invoker set search_path = '' as $$
declare
  v_id uuid;
begin
  -- Not by conflict: where hours and users may be null, an older table takes no two rows for the same one.
  perform pg_advisory_xact_lock(hashtextextended(
    concat_ws('/', 'dunlin.sms_metrics', p_metric_date, coalesce(p_metric_hour, -1), p_user_id, p_metric_type), 0));
  select id into v_id from public.sms_metrics
    where metric_date = p_metric_date and metric_hour is not distinct from p_metric_hour
      and user_id is not distinct from p_user_id and metric_type = p_metric_type
    limit 1;
  if found then
    update public.sms_metrics set metric_value = metric_value + p_metric_value,
      metadata = coalesce(metadata, '{}') || coalesce(p_metadata, '{}'), updated_at = now() where id = v_id;
  else
    insert into public.sms_metrics (metric_date, metric_hour, user_id, metric_type, metric_value, metadata)
    values (p_metric_date, p_metric_hour, p_user_id, p_metric_type, p_metric_value, coalesce(p_metadata, '{}'));
  end if;
end
$$;
comment on function public.record_sms_metric(date, integer, uuid, text, numeric, jsonb)
  is 'Dunlin: adds to a figure that texts don''t tell.';

-- Of a hundred, with two digits; null when there was nothing to be a part of.
create or replace function dunlin.percent(p_part bigint, p_whole bigint) returns numeric
language sql immutable set search_path = '' as $$
  select round(p_part * 100.0 / nullif(p_whole, 0), 2)
$$;

create or replace function public.get_sms_daily_metrics(p_start_date date, p_end_date date)
returns table (
  metric_date date, scheduled_count integer, sent_count integer, delivered_count integer, failed_count integer,
  cancelled_count integer, avg_delivery_time_ms numeric, avg_generation_time_ms numeric, llm_success_count integer,
  template_fallback_count integer, delivery_success_rate numeric, llm_success_rate numeric, llm_cost_usd numeric,
  sms_cost_usd numeric, opt_out_count integer, quiet_hours_skip_count integer, daily_limit_hit_count integer,
  delivery_rate_percent numeric, llm_success_rate_percent numeric, active_users integer)
language sql stable security invoker set search_path = '' as $$
  with texts as (
    select created_at::date as day, count(*) as asked, count(sent_at) as sent,
      count(*) filter (where status = 'delivered') as delivered,
      count(*) filter (where status in ('failed', 'undelivered')) as failed,
      count(*) filter (where status = 'cancelled') as cancelled,
      avg(extract(epoch from delivered_at - sent_at) * 1000) as delivery_ms, count(distinct user_id) as users
    from public.sms_messages
    where created_at >= p_start_date and created_at < p_end_date + 1 group by 1
  ), opt_outs as (
    select opted_out_at::date as day, count(*) as times from public.user_sms_preferences
    where opted_out and opted_out_at >= p_start_date and opted_out_at < p_end_date + 1 group by 1
  ), recorded as (
    select m.metric_date as day,
      avg(metric_value) filter (where metric_type = 'avg_generation_time_ms') as generation_ms,
      coalesce(sum(metric_value) filter (where metric_type = 'llm_success_count'), 0)::bigint as llm,
      coalesce(sum(metric_value) filter (where metric_type = 'template_fallback_count'), 0)::bigint as fallback,
      sum(metric_value) filter (where metric_type = 'llm_cost_usd') as llm_usd,
      sum(metric_value) filter (where metric_type = 'sms_cost_usd') as sms_usd,
      sum(metric_value) filter (where metric_type = 'quiet_hours_skip_count') as quiet,
      sum(metric_value) filter (where metric_type = 'daily_limit_hit_count') as limited
    from public.sms_metrics m
    where m.metric_hour is null and m.metric_date between p_start_date and p_end_date group by 1
  )
  select d.day, coalesce(t.asked, 0)::integer, coalesce(t.sent, 0)::integer, coalesce(t.delivered, 0)::integer,
    coalesce(t.failed, 0)::integer, coalesce(t.cancelled, 0)::integer, round(t.delivery_ms, 2), round(r.generation_ms, 2),
    coalesce(r.llm, 0)::integer, coalesce(r.fallback, 0)::integer, dunlin.percent(t.delivered, t.sent),
    dunlin.percent(r.llm, r.llm + r.fallback), coalesce(r.llm_usd, 0), coalesce(r.sms_usd, 0),
    coalesce(o.times, 0)::integer, coalesce(r.quiet, 0)::integer, coalesce(r.limited, 0)::integer,
    dunlin.percent(t.delivered, t.sent), dunlin.percent(r.llm, r.llm + r.fallback), coalesce(t.users, 0)::integer
  from (select day from texts union select day from opt_outs union select day from recorded) d
  left join texts t using (day) left join opt_outs o using (day) left join recorded r using (day)
  order by d.day desc
$$;
comment on function public.get_sms_daily_metrics(date, date) is 'Dunlin: texts of each day, by the day they were asked for.';

create or replace function public.get_user_sms_metrics(p_user_id uuid, p_days integer default 30)
returns table (metric_date date, scheduled_count integer, sent_count integer, delivered_count integer,
  failed_count integer, llm_cost_usd numeric, delivery_rate numeric)
language sql stable security invoker set search_path = '' as $$
  with texts as (
    select created_at::date as day, count(*) as asked, count(sent_at) as sent,
      count(*) filter (where status = 'delivered') as delivered,
      count(*) filter (where status in ('failed', 'undelivered')) as failed
    from public.sms_messages where user_id = p_user_id and created_at >= current_date - p_days group by 1
  ), costs as (
    select m.metric_date as day, sum(m.metric_value) as usd from public.sms_metrics m
    where m.user_id = p_user_id and m.metric_type = 'llm_cost_usd' and m.metric_hour is null
      and m.metric_date >= current_date - p_days group by 1
  )
  select d.day, coalesce(t.asked, 0)::integer, coalesce(t.sent, 0)::integer, coalesce(t.delivered, 0)::integer,
    coalesce(t.failed, 0)::integer, coalesce(c.usd, 0), coalesce(dunlin.percent(t.delivered, t.sent), 0)
  from (select day from texts union select day from costs) d left join texts t using (day) left join costs c using (day)
  order by d.day desc
$$;
comment on function public.get_user_sms_metrics(uuid, integer) is 'Dunlin: a user''s texts of each day, newest first.';

create or replace function public.get_sms_notification_stats(p_interval interval default '24 hours')
returns table (total_users_with_phone bigint, users_phone_verified bigint, users_sms_enabled bigint, users_opted_out bigint,
  phone_verification_rate numeric, sms_adoption_rate numeric, opt_out_rate numeric, total_sms_sent_24h bigint,
  sms_delivery_rate_24h numeric, avg_sms_delivery_time_seconds numeric)
language sql stable security invoker set search_path = '' as $$
  with people as (
    select count(phone_number) as phones, count(*) filter (where phone_verified) as verified,
      count(*) filter (where phone_verified and not coalesce(opted_out, false)) as enabled,
      count(*) filter (where opted_out) as opted_out
    from public.user_sms_preferences
  ), texts as (
    select count(*) as sent, count(*) filter (where status = 'delivered') as delivered,
      avg(extract(epoch from delivered_at - sent_at)) as seconds
    from public.sms_messages where sent_at >= now() - p_interval
  )
  select phones, verified, enabled, opted_out, dunlin.percent(verified, phones), dunlin.percent(enabled, verified),
    dunlin.percent(opted_out, phones), sent, dunlin.percent(delivered, sent), round(seconds, 2)
  from people, texts
$$;
comment on function public.get_sms_notification_stats(interval) is 'Dunlin: users with numbers, and texts of the newest hours.';
