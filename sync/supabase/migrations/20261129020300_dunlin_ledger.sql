-- What Dunlin keeps for itself: who claimed which text, what changed since when, what could not be understood.

-- One row per daemon that was ever here. A daemon whose lease_until is null keeps what it acknowledged for good.
create table if not exists dunlin.daemons (
  id uuid primary key,
  name text not null default '',
  version text not null default '',
  seen_at timestamptz not null default now(),
  lease_until timestamptz
);

-- Texts that are not finished, from the moment that somebody asked for them. waiting: nobody has it; claimed: a
-- daemon is reading it, until claimed_until; accepted: it stands in that daemon's file; elsewhere: another worker
-- has its job; parked: it can't be understood.
create table if not exists dunlin.requests (
  message_id uuid primary key,
  state text not null default 'waiting'
    check (state in ('waiting', 'claimed', 'accepted', 'elsewhere', 'parked')),
  rank smallint not null,
  due_at timestamptz not null,
  daemon_id uuid references dunlin.daemons (id),
  claim uuid,
  claimed_until timestamptz,
  -- Somebody else may have sent it: it is looked up at the provider before anything else happens to it.
  may_have_been_sent boolean not null default false
);
create index if not exists requests_waiting_idx on dunlin.requests (rank, due_at) where state = 'waiting';
create index if not exists requests_due_at_idx on dunlin.requests (due_at) where state = 'waiting';
create index if not exists requests_claimed_until_idx on dunlin.requests (claimed_until) where state = 'claimed';
create index if not exists requests_daemon_id_idx on dunlin.requests (daemon_id);

-- The newest change of every row that daemons must hear of, by who made it: origin is a daemon, or the nil UUID for
-- everybody else. xid is the transaction that made it, which is what a cursor compares; seq is the order within a page.
create sequence if not exists dunlin.change_seq;
create table if not exists dunlin.changes (
  kind text not null check (kind in ('message', 'preferences', 'template', 'parked')),
  key uuid not null,
  origin uuid not null default '00000000-0000-0000-0000-000000000000',
  -- The one daemon that it is for; all of them when null.
  audience uuid,
  xid xid8 not null default pg_current_xact_id(),
  seq bigint not null default nextval('dunlin.change_seq'),
  at timestamptz not null default now(),
  primary key (kind, key, origin)
);
create index if not exists changes_xid_idx on dunlin.changes (xid);
create index if not exists changes_seq_idx on dunlin.changes (seq);

create table if not exists dunlin.parked (
  id uuid primary key default gen_random_uuid(),
  source text not null check (source in ('sms_messages', 'queue_jobs', 'user_sms_preferences', 'sms_templates')),
  -- The row's id; of preferences their user's.
  row_id uuid not null,
  reason text not null,
  detail text not null default '',
  daemon_id uuid,
  parked_at timestamptz not null default now(),
  resolved_at timestamptz
);
create unique index if not exists parked_open_idx on dunlin.parked (source, row_id) where resolved_at is null;

-- Who wrote to a column that the engine owns. The engine's value was kept; theirs is remembered here.
create table if not exists dunlin.conflicts (
  relation text not null,
  row_id uuid not null,
  name text not null,
  theirs text,
  ours text,
  writer text not null,
  times integer not null default 1,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  primary key (relation, row_id, name)
);

-- The newest version of everything that a daemon pushed and that has no row of its own to keep it.
create table if not exists dunlin.pushed (
  kind text not null check (kind in ('consent', 'verification', 'usage')),
  key uuid not null,
  daemon_id uuid not null,
  version bigint not null,
  primary key (kind, key, daemon_id)
);

-- Functions that were there before ours of the same name, so that nobody's work is lost.
create table if not exists dunlin.replaced (
  id bigint generated always as identity primary key,
  signature text not null,
  definition text not null,
  replaced_at timestamptz not null default now()
);
