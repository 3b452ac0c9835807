-- How the two sides find out that they differ, and make it good: after a daemon's file was restored from a backup, or a
-- database was.

-- Texts that this daemon has and did not finish, with the newest version of it that came here; in the order of their ids.
create or replace function dunlin.held(p_daemon uuid, p_after uuid, p_limit integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  perform dunlin.refuse_unless(p_limit between 1 and 1000, 'p_limit', '1 to 1000');
  return jsonb_build_object('held', coalesce((
    select jsonb_agg(jsonb_build_object('id', h.message_id, 'version', h.engine_version) order by h.message_id)
    from (select r.message_id, m.engine_version
      from dunlin.requests r join public.sms_messages m on m.id = r.message_id
      where r.daemon_id = p_daemon and r.state = 'accepted'
        and r.message_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
      order by r.message_id limit p_limit) h), '[]'));
end
$$;

-- A daemon says which of its texts it does not know. They wait again, for anybody, and say that they may have been sent.
create or replace function dunlin.give_back(p_daemon uuid, p_ids jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_given integer;
begin
  perform set_config('dunlin.origin', '00000000-0000-0000-0000-000000000000', true);
  perform from public.sms_messages
    where id in (select value::uuid from jsonb_array_elements_text(p_ids)) order by id for update;
  with given as (
    update dunlin.requests r
    set state = 'waiting', claim = null, claimed_until = null, daemon_id = null, may_have_been_sent = true
    where r.message_id in (select value::uuid from jsonb_array_elements_text(p_ids))
      and r.daemon_id = p_daemon and r.state = 'accepted'
    returning r.message_id
  )
  select count(*) into v_given from given;
  perform set_config('dunlin.origin', '', true);
  return jsonb_build_object('given_back', v_given);
end
$$;
