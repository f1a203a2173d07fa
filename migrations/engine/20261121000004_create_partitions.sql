-- Monthly partitions of runs and run_events, by the time inside the UUIDv7. A default partition takes what no
-- month covers, so that an insert never fails for want of a partition.
CREATE TABLE runs_default PARTITION OF runs DEFAULT;
CREATE TABLE run_events_default PARTITION OF run_events DEFAULT;

CREATE FUNCTION uuid_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

-- Creates the partitions of the months from `first` on that do not exist yet; safe to repeat and to race.
CREATE FUNCTION create_partitions(first timestamptz, months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    created integer := 0;
    month timestamp;
    parent text;
    child text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ticketflow.create_partitions'));
    FOR offset_months IN 0 .. months - 1 LOOP
        month := date_trunc('month', first AT TIME ZONE 'UTC') + make_interval(months => offset_months);
        FOREACH parent IN ARRAY ARRAY['runs', 'run_events'] LOOP
            child := parent || to_char(month, '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                    uuid_at(month AT TIME ZONE 'UTC'),
                    uuid_at((month + interval '1 month') AT TIME ZONE 'UTC')
                );
                created := created + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN created;
END $$;

SELECT create_partitions(engine_now(), 3);
