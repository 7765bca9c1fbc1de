import type { Migration } from '../../postgres/migrate.ts';

/**
 * The log:
 *
 *     event_heads    stream -> its last revision; appends to one stream queue on this row
 *     event_counter  one row, the last position; held from the taking of positions to the commit, so that position
 *                    order is commit order and who reads `position > last` misses nothing
 *     events         the facts, by position and by (stream, revision); never changed
 *
 * Locks are always taken in this order, heads sorted by stream: new heads, standing heads, the counter. So appends
 * never deadlock.
 */
export const eventLogMigrations: readonly Migration[] = [
  {
    name: 'events-001-log',
    sql: `
      create table event_heads (
        stream_id text collate "C" primary key,
        revision integer not null
      ) with (fillfactor = 70);

      create table event_counter (
        only_row boolean primary key default true check (only_row),
        position bigint not null
      ) with (fillfactor = 10);
      insert into event_counter (position) values (0);

      create table events (
        position bigint primary key,
        stream_id text collate "C" not null,
        revision integer not null,
        id uuid not null,
        type text not null,
        schema_version integer not null,
        recorded_at timestamptz(3) not null,
        data jsonb not null,
        metadata jsonb not null,
        unique (stream_id, revision)
      );

      create function refuse_change() returns trigger language plpgsql as $$
      begin
        raise exception 'events are never changed or removed';
      end $$;
      create trigger events_never_change
        before update or delete or truncate on events
        for each statement execute function refuse_change();

      -- One batch: appends numbered from 1, at most one per stream, then their events, each with its append's number.
      -- "won" are the appends whose stream stood at the expected revision; their events have the positions
      -- after "base", in the order given. The others left no trace.
      create function append_events(
        in streams text[],
        in expected integer[],
        in counts integer[],
        in owners integer[],
        in revisions integer[],
        in ids uuid[],
        in types text[],
        in schema_versions integer[],
        in data text[],
        in metadata text[],
        out won integer[],
        out base bigint
      ) language plpgsql as $$
      declare
        standing integer[];
        size bigint;
        now_recorded timestamptz;
      begin
        won := '{}';
        if -1 = any (expected) then
          with made as (
            insert into event_heads as h (stream_id, revision)
            select a.stream, a.events - 1
            from unnest(streams, expected, counts) as a (stream, expected, events)
            where a.expected = -1
            order by a.stream collate "C"
            on conflict do nothing
            returning h.stream_id
          )
          select coalesce(array_agg(a.number::integer), '{}') into won
          from unnest(streams) with ordinality as a (stream, number)
          join made on made.stream_id = a.stream collate "C";
        end if;

        if -1 <> any (expected) then
          if cardinality(streams) > 1 then
            perform from event_heads as h
            where h.stream_id in (
              select a.stream collate "C"
              from unnest(streams, expected) as a (stream, expected)
              where a.expected <> -1
            )
            order by h.stream_id
            for update;
          end if;
          with raised as (
            update event_heads as h
            set revision = h.revision + a.events
            from unnest(streams, expected, counts) with ordinality as a (stream, expected, events, number)
            where h.stream_id = a.stream collate "C"
              and h.revision = a.expected
              and a.expected <> -1
            returning a.number::integer
          )
          select coalesce(array_agg(number), '{}') into standing from raised;
          won := won || standing;
        end if;

        if won = '{}' then
          return;
        end if;
        select sum(counts[number]) into size from unnest(won) as number;
        update event_counter set position = position + size returning position - size into base;
        now_recorded := clock_timestamp();
        insert into events
          (position, stream_id, revision, id, type, schema_version, recorded_at, data, metadata)
        select
          base + row_number() over (order by e.place),
          streams[e.owner], e.revision, e.id, e.type, e.schema_version, now_recorded,
          e.data::jsonb, e.metadata::jsonb
        from unnest(owners, revisions, ids, types, schema_versions, data, metadata)
          with ordinality as e (owner, revision, id, type, schema_version, data, metadata, place)
        where e.owner = any (won);
        perform pg_notify('daguerre_events', (base + size)::text);
      end $$;
    `,
  },
  {
    name: 'events-002-bounded-reads',
    sql: `
      -- The next events, at most "most" of them, and no more once their bodies have passed "bytes".
      create function next_of_all(after bigint, most integer, bytes bigint)
      returns table (
        "position" bigint, stream_id text, revision integer, id uuid, type text,
        schema_version integer, recorded_at timestamptz, data text, metadata text
      ) language plpgsql stable as $$
      begin
        for "position", stream_id, revision, id, type, schema_version, recorded_at, data, metadata in
          select
            e.position, e.stream_id, e.revision, e.id, e.type,
            e.schema_version, e.recorded_at, e.data::text, e.metadata::text
          from events as e
          where e.position > $1
          order by e.position
          limit $2
        loop
          return next;
          bytes := bytes - octet_length(data) - octet_length(metadata);
          exit when bytes <= 0;
        end loop;
      end $$;

      create function next_of_stream(stream text, after integer, most integer, bytes bigint)
      returns table (
        "position" bigint, stream_id text, revision integer, id uuid, type text,
        schema_version integer, recorded_at timestamptz, data text, metadata text
      ) language plpgsql stable as $$
      begin
        for "position", stream_id, revision, id, type, schema_version, recorded_at, data, metadata in
          select
            e.position, e.stream_id, e.revision, e.id, e.type,
            e.schema_version, e.recorded_at, e.data::text, e.metadata::text
          from events as e
          where e.stream_id = $1 and e.revision > $2
          order by e.revision
          limit $3
        loop
          return next;
          bytes := bytes - octet_length(data) - octet_length(metadata);
          exit when bytes <= 0;
        end loop;
      end $$;
    `,
  },
];
