-- Taking over what is there already: texts that wait become requests, and every template and preference is put on the list
-- of what daemons must hear of. What can't be taken over is parked with its reason; of a text nothing
-- changes but that it learns the name of its job.

select set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);

-- Jobs that name their text while the text does not name its job.
update public.sms_messages m set queue_job_id = j.id
from public.queue_jobs j
where m.queue_job_id is null and j.job_type = 'send_sms' and j.status in ('pending', 'processing', 'retrying')
  and dunlin.uuid_of(j.metadata ->> 'message_id') = m.id and j.user_id = m.user_id;

insert into dunlin.requests (message_id, state, rank, due_at, may_have_been_sent)
select m.id, case when j.status = 'processing' then 'elsewhere' else 'waiting' end, dunlin.rank(m.priority),
  coalesce(m.scheduled_for, m.created_at, now()),
  -- Its worker kept no record of intent: whatever it tried may have arrived.
  coalesce(j.attempts, 0) > 0 or coalesce(m.attempt_count, 0) > 0 or coalesce(j.status = 'processing', false)
from public.sms_messages m left join public.queue_jobs j on j.id = m.queue_job_id
where m.status in ('pending', 'queued', 'scheduled') and m.twilio_sid is null and m.sent_at is null and m.engine_id is null
  and coalesce(j.status not in ('completed', 'cancelled'), true)
  and not exists (select from dunlin.requests r where r.message_id = m.id);

-- A text that waits although its job ended, and a job that waits although it has no text: nobody will ever do them.
insert into dunlin.parked (source, row_id, reason, detail)
select 'sms_messages', m.id, 'job_ended', format('its job %s is %s while the text is %s', j.id, j.status, m.status)
from public.sms_messages m join public.queue_jobs j on j.id = m.queue_job_id
where m.status in ('pending', 'queued', 'scheduled') and m.twilio_sid is null and m.sent_at is null and m.engine_id is null
  and j.status in ('completed', 'cancelled')
  and not exists (select from dunlin.requests r where r.message_id = m.id)
  and not exists (select from dunlin.parked p where p.source = 'sms_messages' and p.row_id = m.id);

insert into dunlin.parked (source, row_id, reason, detail)
select 'queue_jobs', j.id, 'no_text', 'no row of sms_messages belongs to this job'
from public.queue_jobs j
where j.job_type = 'send_sms' and j.status in ('pending', 'retrying')
  and not exists (select from public.sms_messages m where m.queue_job_id = j.id)
  and not exists (select from public.sms_messages m where m.id = dunlin.uuid_of(j.metadata ->> 'message_id'))
  and not exists (select from dunlin.parked p where p.source = 'queue_jobs' and p.row_id = j.id);

insert into dunlin.changes (kind, key)
select wanted.kind, wanted.key
from (select 'template' as kind, id as key from public.sms_templates
  union all select 'preferences', user_id from public.user_sms_preferences where user_id is not null
  union all select 'parked', id from dunlin.parked where resolved_at is null) wanted
where not exists (select from dunlin.changes c where c.kind = wanted.kind and c.key = wanted.key);

select set_config('dunlin.origin', '', true);
notify pgrst, 'reload schema';
