//! The rules of Supabase's advisors, as far as the migrations could break them, and a canary for each.
//!
//! Source: <https://github.com/supabase/splinter>, commit 55db5b1 (read 2026-11-29). Numbers are theirs.

use crate::cluster::Cluster;
use crate::database::rows;

/// A rule: its name, a query that names everything that breaks it, and a statement that does.
struct Rule {
    name: &'static str,
    finds: &'static str,
    canary: &'static str,
}

const RULES: [Rule; 15] = [
    Rule {
        name: "0001 unindexed foreign keys",
        finds: "select c.conrelid::regclass::text || '.' || c.conname as found from pg_constraint c
            where c.contype = 'f' and c.connamespace::regnamespace::text in ('public', 'dunlin') and not exists (
              select from pg_index i where i.indrelid = c.conrelid
                and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey)",
        canary: "create table canary (id uuid primary key, user_id uuid references auth.users)",
    },
    Rule {
        name: "0003 auth functions evaluated for every row",
        finds: "select tablename || '.' || policyname as found from pg_policies where schemaname in ('public', 'dunlin')
            and regexp_replace(concat(qual, with_check), 'SELECT auth\\.\\w+\\(\\)', '', 'g') ~ 'auth\\.\\w+\\(\\)'",
        canary: "create policy canary on sms_messages for delete to authenticated using (auth.uid() = user_id)",
    },
    Rule {
        name: "0004 no primary key",
        finds: "select c.oid::regclass::text as found from pg_class c
            where c.relkind = 'r' and c.relnamespace::regnamespace::text in ('public', 'dunlin')
              and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)",
        canary: "create table canary (id uuid)",
    },
    Rule {
        name: "0006 several permissive policies for one role and verb",
        finds: "select p.tablename || '/' || r.role || '/' || v.verb as found from pg_policies p
            cross join lateral unnest(p.roles) r (role) cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) v (verb)
            where p.permissive = 'PERMISSIVE' and p.cmd in ('ALL', v.verb) and p.schemaname in ('public', 'dunlin')
            group by p.tablename, r.role, v.verb having count(*) > 1",
        canary: "create policy canary on sms_messages to authenticated using ((select auth.uid()) = user_id)",
    },
    Rule {
        name: "0007 policies without row level security",
        finds: "select distinct p.polrelid::regclass::text as found from pg_policy p join pg_class c on c.oid = p.polrelid
            where not c.relrowsecurity",
        canary: "alter table sms_messages disable row level security",
    },
    Rule {
        name: "0008 row level security without policies",
        finds: "select c.oid::regclass::text as found from pg_class c
            where c.relrowsecurity and c.relnamespace::regnamespace::text in ('public', 'dunlin')
              and not exists (select from pg_policy p where p.polrelid = c.oid)",
        canary: "drop policy dunlin_select on sms_messages",
    },
    Rule {
        name: "0009 duplicate indexes",
        finds: "select min(i.indexrelid::regclass::text) as found from pg_index i join pg_class c on c.oid = i.indrelid
            where c.relnamespace::regnamespace::text in ('public', 'dunlin')
            group by regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX .* ON ', ' ON ') having count(*) > 1",
        canary: "create index canary on sms_messages (queue_job_id)",
    },
    Rule {
        name: "0010 views with the rights of their owner",
        finds: "select c.oid::regclass::text as found from pg_class c
            where c.relkind = 'v' and c.relnamespace::regnamespace::text in ('public', 'dunlin')
              and not coalesce(c.reloptions @> array['security_invoker=true'], false)",
        canary: "create view canary as select * from sms_messages",
    },
    Rule {
        name: "0011 functions with a search path that callers choose",
        finds: "select p.oid::regprocedure::text as found from pg_proc p
            where p.pronamespace::regnamespace::text in ('public', 'dunlin')
              and not coalesce(array_to_string(p.proconfig, ' ') like '%search_path=\"\"%', false)",
        canary: "create function canary() returns int language sql as 'select 1'",
    },
    Rule {
        name: "0013 tables without row level security",
        finds: "select c.oid::regclass::text as found from pg_class c where c.relkind in ('r', 'p')
            and c.relnamespace::regnamespace::text in ('public', 'dunlin') and not c.relrowsecurity",
        canary: "create table dunlin.canary (id uuid primary key)",
    },
    Rule {
        name: "0015 policies that believe what users write about themselves",
        finds: "select policyname || '' as found from pg_policies where concat(qual, with_check) like '%user_metadata%'",
        canary: "create policy canary on sms_messages for delete to authenticated
            using ((select auth.jwt()) -> 'user_metadata' ->> 'role' = 'admin')",
    },
    Rule {
        name: "0016 materialized views in the API",
        finds: "select c.oid::regclass::text as found from pg_class c
            where c.relkind = 'm' and c.relnamespace = 'public'::regnamespace
              and (has_table_privilege('anon', c.oid, 'select') or has_table_privilege('authenticated', c.oid, 'select'))",
        canary: "create materialized view canary as select 1 as one",
    },
    Rule {
        name: "0024 policies that let everything be written",
        finds: "select tablename || '.' || policyname as found from pg_policies
            where schemaname in ('public', 'dunlin') and cmd <> 'SELECT' and (qual = 'true' or with_check = 'true')",
        canary: "create policy canary on sms_messages for update to authenticated using (true)",
    },
    Rule {
        name: "0028, 0029 functions with the rights of their owner in the API",
        finds: "select p.oid::regprocedure::text as found from pg_proc p
            where p.prosecdef and p.pronamespace = 'public'::regnamespace",
        canary: "create function canary() returns int language sql security definer set search_path = '' as 'select 1'",
    },
    // None of theirs: everything that is made in public is anon's until it is revoked.
    Rule {
        name: "functions and tables of anon",
        finds: "select p.oid::regprocedure::text as found from pg_proc p
            where p.pronamespace::regnamespace::text in ('public', 'dunlin') and has_function_privilege('anon', p.oid, 'execute')
            union all select c.oid::regclass::text from pg_class c
            where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
              and has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate, references, trigger')",
        canary: "create function canary() returns int language sql set search_path = '' as 'select 1'",
    },
];

#[tokio::test]
async fn advisors_find_nothing_in_a_migrated_project_and_their_canaries_are_found() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let owner = database.owner().await;
    let mut findings = Vec::new();
    for rule in &RULES {
        let found = rows(&owner, rule.finds).await;
        findings.extend(found.iter().map(|found| format!("{}: {}", rule.name, found["found"])));
        owner.batch_execute(&format!("begin; {}", rule.canary)).await.unwrap();
        let with_canary = rows(&owner, rule.finds).await;
        assert!(with_canary.len() > found.len(), "{} does not find its canary", rule.name);
        owner.batch_execute("rollback").await.unwrap();
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
